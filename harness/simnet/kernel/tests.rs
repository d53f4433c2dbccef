//! Equivalence with turmoil-net's kernel: after any sequence of calls and packets both give the same results and packets.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite};
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};
use turmoil_net::{EnterGuard, HostId, KernelConfig, Net, TcpFlags, TcpSegment, Transport, set_current};

use super::super::state::BUFFER;
use super::super::{CLIENT, SERVERS, packet};
use super::*;

const AT: SocketAddrV4 = SocketAddrV4::new(SERVERS[0], 5432);

#[derive(Clone, Debug)]
enum Action {
    Connect,
    Accept,
    Connected(usize),
    Write(usize, usize),
    Read(usize, usize),
    ShutDown(usize),
    Close(usize),
    /// An RST arrives.
    Reset(usize),
    /// The packets sent are delivered, except the n-th if bit `n % 8` of the mask is set.
    Carry(u8),
}

fn any_action() -> impl Strategy<Value = Action> {
    let which = || 0..6_usize;
    prop_oneof![
        2 => Just(Action::Connect),
        3 => Just(Action::Accept),
        3 => which().prop_map(Action::Connected),
        6 => (which(), prop_oneof![0..3000_usize, 0..100_000_usize]).prop_map(|(which, length)| Action::Write(which, length)),
        6 => (which(), prop_oneof![1..3000_usize, 1..100_000_usize]).prop_map(|(which, most)| Action::Read(which, most)),
        1 => which().prop_map(Action::ShutDown),
        1 => which().prop_map(Action::Close),
        1 => which().prop_map(Action::Reset),
        9 => Just(Action::Carry(0)),
        1 => any::<u8>().prop_map(Action::Carry),
    ]
}

/// A socket of turmoil-net's kernel.
enum TurmoilSocket {
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>),
    Open(TcpStream),
    Failed,
}

/// The same socket in both kernels.
struct Socket {
    machine: usize,
    slot: Slot,
    addresses: (SocketAddrV4, SocketAddrV4),
    theirs: TurmoilSocket,
}

struct BothKernels {
    /// The client's kernel, and the servers'.
    ours: [Kernel; 2],
    hosts: [HostId; 2],
    listener: TcpListener,
    sockets: Vec<Socket>,
    guard: EnterGuard,
}

fn noop_context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn format_poll<T: std::fmt::Debug>(poll: Poll<io::Result<T>>) -> String {
    format!("{:?}", poll.map_err(|error| error.kind()))
}

fn from_turmoil(packet: &turmoil_net::Packet) -> Packet {
    let (Transport::Tcp(segment), IpAddr::V4(from), IpAddr::V4(to)) = (&packet.payload, packet.src, packet.dst) else {
        panic!("{packet:?}");
    };
    let TcpFlags { syn, ack, fin, rst, .. } = segment.flags;
    Packet {
        from: SocketAddrV4::new(from, segment.src_port),
        to: SocketAddrV4::new(to, segment.dst_port),
        flags: Flags { syn, ack, fin, rst },
        sequence: segment.seq,
        acknowledged: segment.ack,
        window: segment.window,
        payload: BytesMut::from(&segment.payload[..]),
    }
}

fn to_turmoil(packet: &Packet) -> turmoil_net::Packet {
    let Flags { syn, ack, fin, rst } = packet.flags;
    let segment = TcpSegment {
        src_port: packet.from.port(),
        dst_port: packet.to.port(),
        seq: packet.sequence,
        ack: packet.acknowledged,
        flags: TcpFlags { syn, ack, fin, rst, ..TcpFlags::default() },
        window: packet.window,
        payload: packet.payload.clone().freeze(),
    };
    let (src, dst) = ((*packet.from.ip()).into(), (*packet.to.ip()).into());
    turmoil_net::Packet { src, dst, ttl: 64, payload: Transport::Tcp(segment) }
}

impl BothKernels {
    fn new() -> BothKernels {
        let config = KernelConfig::default().retx_threshold(u32::MAX).send_buf_cap(BUFFER).recv_buf_cap(BUFFER);
        let mut net = Net::with_config(config);
        let hosts = [net.add_host([CLIENT]), net.add_host(SERVERS)];
        let guard = net.enter();
        set_current(hosts[1]);
        let listener = TcpListener::bind(SocketAddr::V4(AT)).now_or_never().unwrap().unwrap();
        let mut ours = [Kernel::new(&[CLIENT]), Kernel::new(&SERVERS)];
        assert_eq!(ours[1].listen(AT).unwrap(), AT);
        BothKernels { ours, hosts, listener, sockets: Vec::new(), guard }
    }

    /// Performs an action on both kernels; returns both results.
    fn act(&mut self, act: &Action) -> (String, String) {
        let BothKernels { ours, hosts, listener, sockets, guard } = self;
        let chosen = match act {
            Action::Connected(which) | Action::Write(which, _) | Action::Read(which, _) => *which,
            Action::ShutDown(which) | Action::Close(which) | Action::Reset(which) => *which,
            Action::Connect | Action::Accept | Action::Carry(_) => 0,
        };
        let chosen = chosen % sockets.len().max(1);
        let deliver = |ours: &mut [Kernel; 2], packet: Packet| {
            guard.deliver(to_turmoil(&packet));
            ours[usize::from(*packet.to.ip() != CLIENT)].deliver(packet);
        };
        match act {
            Action::Connect => {
                set_current(hosts[0]);
                let mut connecting = Box::pin(TcpStream::connect(SocketAddr::V4(AT)));
                assert!(connecting.as_mut().poll(&mut noop_context()).is_pending());
                let slot = ours[0].connect(AT).unwrap();
                let addresses = (ours[0].at(slot).unwrap().own, AT);
                sockets.push(Socket { machine: 0, slot, addresses, theirs: TurmoilSocket::Connecting(connecting) });
            }
            Action::Accept => {
                set_current(hosts[1]);
                let theirs = listener.poll_accept(&mut noop_context());
                let own = ours[1].poll_accept(AT, &noop_context());
                return match (own, theirs) {
                    (Poll::Ready(Ok((slot, peer))), Poll::Ready(Ok((stream, other)))) => {
                        sockets.push(Socket {
                            machine: 1,
                            slot,
                            addresses: (AT, peer),
                            theirs: TurmoilSocket::Open(stream),
                        });
                        (peer.to_string(), other.to_string())
                    }
                    (own, theirs) => (format_poll(own.map_ok(drop)), format_poll(theirs.map_ok(drop))),
                };
            }
            Action::Carry(lost) => {
                let (mut own, mut theirs) = (Vec::new(), Vec::new());
                ours.iter_mut().for_each(|kernel| kernel.emit(&mut own));
                guard.egress_all(&mut theirs);
                let theirs: Vec<_> = theirs.iter().map(from_turmoil).collect();
                if own != theirs {
                    return (format!("{own:?}"), format!("{theirs:?}"));
                }
                let carried = own.into_iter().enumerate().filter(|(slot, _)| lost & (1 << (slot % 8)) == 0);
                carried.for_each(|(_, packet)| deliver(ours, packet));
            }
            _ if sockets.is_empty() => {}
            Action::Reset(_) => {
                let (own, peer) = sockets[chosen].addresses;
                deliver(ours, packet::reset(peer, own));
            }
            Action::Close(_) => {
                let socket = sockets.remove(chosen);
                set_current(hosts[socket.machine]);
                if !matches!(socket.theirs, TurmoilSocket::Failed) {
                    ours[socket.machine].close(socket.slot);
                }
            }
            _ => {
                let Socket { machine, slot, theirs, .. } = &mut sockets[chosen];
                set_current(hosts[*machine]);
                return on_socket(&mut ours[*machine], *slot, theirs, act);
            }
        }
        Default::default()
    }
}

fn on_socket(kernel: &mut Kernel, slot: Slot, theirs: &mut TurmoilSocket, act: &Action) -> (String, String) {
    if let (TurmoilSocket::Connecting(connecting), Action::Connected(_)) = (&mut *theirs, act) {
        let connected = connecting.as_mut().poll(&mut noop_context());
        let own = kernel.poll_connected(slot, &noop_context());
        let turmoil = match &connected {
            Poll::Ready(Ok(_)) => format_poll(Poll::Ready(Ok(()))),
            Poll::Ready(Err(error)) => format_poll::<()>(Poll::Ready(Err(error.kind().into()))),
            Poll::Pending => format_poll::<()>(Poll::Pending),
        };
        match connected {
            Poll::Ready(Ok(stream)) => *theirs = TurmoilSocket::Open(stream),
            Poll::Ready(Err(_)) => {
                kernel.close(slot);
                *theirs = TurmoilSocket::Failed;
            }
            Poll::Pending => {}
        }
        return (format_poll(own), turmoil);
    }
    let TurmoilSocket::Open(stream) = theirs else { return Default::default() };
    let mut stream = Pin::new(stream);
    match act {
        Action::Write(_, length) => {
            let bytes: Vec<u8> = (0..*length).map(|byte| byte as u8).collect();
            let own = kernel.poll_write(slot, &noop_context(), &bytes);
            (format_poll(own), format_poll(stream.poll_write(&mut noop_context(), &bytes)))
        }
        Action::Read(_, most) => {
            let (mut one, mut other) = (vec![0; *most], vec![0; *most]);
            let (mut one, mut other) = (ReadBuf::new(&mut one), ReadBuf::new(&mut other));
            let own = kernel.read(slot, &mut one, *most).map_ok(drop);
            let theirs = stream.as_mut().poll_read(&mut noop_context(), &mut other);
            (format_poll(own) + &format!("{:?}", one.filled()), format_poll(theirs) + &format!("{:?}", other.filled()))
        }
        Action::ShutDown(_) => {
            let own = kernel.shut_down(slot);
            (format_poll(Poll::Ready(own)), format_poll(stream.poll_shutdown(&mut noop_context())))
        }
        _ => Default::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn kernel_matches_turmoil_net(acts in prop::collection::vec(any_action(), 1..80)) {
        let mut both = BothKernels::new();
        for act in acts {
            let (ours, theirs) = both.act(&act);
            prop_assert_eq!(ours, theirs, "{:?}", act);
        }
    }
}
