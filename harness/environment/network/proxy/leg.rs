//! The machine's own TCP as a leg.

use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::environment::network::transport::Leg;

impl Leg for TcpStream {
    fn cut_off(&mut self) -> io::Result<()> {
        SockRef::from(&*self).shutdown(Shutdown::Write)
    }
}
