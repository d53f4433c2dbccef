//! A full accept queue: how a listener lets connects hang without any privilege.
//!
//! A kernel whose accept queue is full drops SYNs without an answer, so that a client's connect hangs and
//! is tried again after 1, 2, 4 … seconds: what a firewall that drops does to it. Connections that exist go on.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::port::BACKLOG;

/// How often the queue is tried to be filled while clients slip in; each of them is taken out again.
const TRIES: u32 = 64;

/// A listener whose queue is kept full by a connection of our own.
pub(super) struct FullBacklog {
    listener: TcpListener,
    /// It is in the queue, and nobody takes it out.
    filler: TcpStream,
    /// Drops of the socket that were counted before, or reported since.
    counted: u32,
}

impl FullBacklog {
    /// Fills the queue of a listener on `address`; clients that are in it meanwhile are handed out, also if that fails:
    /// then the queue is as it was.
    pub fn fill(listener: TcpListener, address: SocketAddr, taken: impl FnMut(TcpStream)) -> io::Result<FullBacklog> {
        // The kernel takes one more than it is told to.
        SockRef::from(&listener).listen(0)?;
        match FullBacklog::keep_full(&listener, address, taken) {
            Ok((filler, counted)) => Ok(FullBacklog { listener, filler, counted }),
            Err(error) => {
                SockRef::from(&listener).listen(BACKLOG)?;
                Err(error)
            }
        }
    }

    /// Puts a connection of our own into a queue that has room for one; and the drops that are not to be counted.
    fn keep_full(
        listener: &TcpListener,
        address: SocketAddr,
        mut taken: impl FnMut(TcpStream),
    ) -> io::Result<(TcpStream, u32)> {
        let mut counted = drops(listener);
        for _ in 0..TRIES {
            while let Ok((client, _)) = listener.accept() {
                client.set_nonblocking(true)?;
                taken(client);
            }
            let filler = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            filler.set_nonblocking(true)?;
            // Should it never get into the queue after all, it must not come there later.
            filler.set_linger(Some(Duration::ZERO))?;
            // Over loopback the handshake is done before the call returns, if there is room in the queue.
            match filler.connect(&address.into()) {
                Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
                _ => {}
            }
            if filler.peer_addr().is_ok() {
                return Ok((filler.into(), counted));
            }
            // A client has come first, and it was our own SYN that was dropped.
            counted = counted.wrapping_add(1);
        }
        Err(io::Error::other(format!("the accept queue could not be filled in {TRIES} tries")))
    }

    /// SYNs dropped since this was last asked.
    pub fn dropped(&mut self) -> u64 {
        let drops = drops(&self.listener);
        u64::from(drops.wrapping_sub(std::mem::replace(&mut self.counted, drops)))
    }

    /// Lets clients in again: the listener, its queue free. A client that was in it is handed out.
    pub fn clear(&mut self, mut taken: impl FnMut(TcpStream)) -> io::Result<TcpListener> {
        SockRef::from(&self.listener).listen(BACKLOG)?;
        let filler = self.filler.local_addr()?;
        // It is the first, unless a client came in the very moment in which it was put there: then the kernel may have
        // dropped the last word of its handshake, and kept the client.
        for _ in 0..BACKLOG {
            match self.listener.accept() {
                Ok((_, address)) if address == filler => break,
                Ok((client, _)) => {
                    client.set_nonblocking(true)?;
                    taken(client);
                }
                Err(_) => break,
            }
        }
        self.listener.try_clone()
    }
}

/// Packets that the kernel has dropped at this socket, as it counts them (wrapping).
fn drops(listener: &TcpListener) -> u32 {
    use std::mem::size_of_val;
    use std::os::fd::AsRawFd;

    /// Where the count stands in the answer: `SK_MEMINFO_DROPS` of linux/sock_diag.h.
    const DROPS: usize = 8;
    let mut answer = [0_u32; DROPS + 1];
    let mut length = size_of_val(&answer) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `answer`, which is as long as that.
    let read = unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
        libc::getsockopt(listener.as_raw_fd(), level, option, answer.as_mut_ptr().cast(), &raw mut length)
    };
    // An older kernel gives fewer figures; nothing is then known of drops, and the evidence is missing.
    if read == 0 { answer[DROPS] } else { 0 }
}
