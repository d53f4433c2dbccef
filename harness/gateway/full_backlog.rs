//! A full accept queue: lets connects hang without any privilege.
//!
//! While the accept queue is full, the kernel drops SYNs without an answer and counts them, so a client's connect hangs
//! and its kernel retries after 1, 2, 4 … seconds, as behind a firewall. Open connections are not affected. A socket
//! filter would do the same, but recent kernels require CAP_NET_ADMIN to attach one.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::port::BACKLOG;

/// Attempts to fill the queue. An attempt fails if a client enters the queue first; the next one accepts that client.
const TRIES: u32 = 64;

/// A listener whose accept queue one connection of the gateway keeps full.
pub(super) struct FullBacklog {
    listener: TcpListener,
    /// Client end of the connection that stays in the queue.
    filler: TcpStream,
    /// The kernel's count of drops when they were last reported, or when the queue was filled.
    counted: u32,
}

impl FullBacklog {
    /// Fills the accept queue of a listener on `address`. Clients found in the queue are passed to `on_client`, even if
    /// this fails.
    ///
    /// *Errors*: a system call failed, or clients were faster in every attempt. The listener then accepts as before.
    pub fn fill(
        listener: TcpListener,
        address: SocketAddr,
        on_client: impl FnMut(TcpStream),
    ) -> io::Result<FullBacklog> {
        // The kernel queues one connection more than the backlog.
        SockRef::from(&listener).listen(0)?;
        match FullBacklog::keep_full(&listener, address, on_client) {
            Ok((filler, counted)) => Ok(FullBacklog { listener, filler, counted }),
            Err(error) => {
                SockRef::from(&listener).listen(BACKLOG)?;
                Err(error)
            }
        }
    }

    /// Puts a connection of the gateway into a queue that has room for one; returns its client end, and the number of
    /// drops that do not count: earlier ones, and those of the gateway's own failed attempts.
    fn keep_full(
        listener: &TcpListener,
        address: SocketAddr,
        mut on_client: impl FnMut(TcpStream),
    ) -> io::Result<(TcpStream, u32)> {
        let mut counted = drops(listener);
        for _ in 0..TRIES {
            while let Ok((client, _)) = listener.accept() {
                client.set_nonblocking(true)?;
                on_client(client);
            }
            let filler = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            filler.set_nonblocking(true)?;
            // Closed by RST: an attempt that was dropped must not enter the queue later.
            filler.set_linger(Some(Duration::ZERO))?;
            // Over loopback the handshake is done before the call returns, if there is room in the queue.
            match filler.connect(&address.into()) {
                Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
                _ => {}
            }
            if filler.peer_addr().is_ok() {
                return Ok((filler.into(), counted));
            }
            // A client was first, and the kernel dropped the filler's SYN.
            counted = counted.wrapping_add(1);
        }
        Err(io::Error::other(format!("cannot fill the accept queue in {TRIES} attempts")))
    }

    /// Returns the SYNs dropped since the last call.
    pub fn take_drops(&mut self) -> u64 {
        let drops = drops(&self.listener);
        u64::from(drops.wrapping_sub(std::mem::replace(&mut self.counted, drops)))
    }

    /// Frees the queue and returns the listener. Clients found in the queue are passed to `on_client`.
    ///
    /// *Errors*: a system call failed.
    pub fn clear(&mut self, mut on_client: impl FnMut(TcpStream)) -> io::Result<TcpListener> {
        SockRef::from(&self.listener).listen(BACKLOG)?;
        let filler = self.filler.local_addr()?;
        // The filler is first, unless a client connected at the moment of filling: then the kernel may have dropped the
        // last packet of the filler's handshake and kept the client.
        for _ in 0..BACKLOG {
            match self.listener.accept() {
                Ok((_, address)) if address == filler => break,
                Ok((client, _)) => {
                    client.set_nonblocking(true)?;
                    on_client(client);
                }
                Err(_) => break,
            }
        }
        self.listener.try_clone()
    }
}

/// Returns the kernel's count of packets dropped at this socket; it wraps at 2³².
fn drops(listener: &TcpListener) -> u32 {
    use std::mem::size_of_val;
    use std::os::fd::AsRawFd;

    /// Index of the count in the answer: `SK_MEMINFO_DROPS` of linux/sock_diag.h.
    const DROPS: usize = 8;
    let mut answer = [0_u32; DROPS + 1];
    let mut length = size_of_val(&answer) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `answer`, which is as long as that.
    let read = unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
        libc::getsockopt(listener.as_raw_fd(), level, option, answer.as_mut_ptr().cast(), &raw mut length)
    };
    // An older kernel returns fewer figures: no drop is counted then, so the fault lacks evidence.
    if read == 0 { answer[DROPS] } else { 0 }
}
