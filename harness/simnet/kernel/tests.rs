//! Whatever is asked of a kernel, and whatever reaches it: it answers and sends what turmoil-net's does.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite};
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};
use turmoil_net::{EnterGuard, HostId, KernelConfig, Net, TcpFlags, TcpSegment, Transport, set_current};

use super::super::world::BUFFER;
use super::super::{CLIENT, SERVERS, packet};
use super::*;

const AT: SocketAddrV4 = SocketAddrV4::new(SERVERS[0], 5432);

#[derive(Clone, Debug)]
enum Act {
    Connect,
    Accept,
    Connected(usize),
    Write(usize, usize),
    Read(usize, usize),
    ShutDown(usize),
    Close(usize),
    /// An RST reaches one.
    Reset(usize),
    /// What was sent is carried, but for some of it.
    Carry(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let which = || 0..6_usize;
    prop_oneof![
        2 => Just(Act::Connect),
        3 => Just(Act::Accept),
        3 => which().prop_map(Act::Connected),
        6 => (which(), prop_oneof![0..3000_usize, 0..100_000_usize]).prop_map(|(which, length)| Act::Write(which, length)),
        6 => (which(), prop_oneof![1..3000_usize, 1..100_000_usize]).prop_map(|(which, most)| Act::Read(which, most)),
        1 => which().prop_map(Act::ShutDown),
        1 => which().prop_map(Act::Close),
        1 => which().prop_map(Act::Reset),
        9 => Just(Act::Carry(0)),
        1 => any::<u8>().prop_map(Act::Carry),
    ]
}

/// A socket of theirs.
enum Theirs {
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>),
    Open(TcpStream),
    Failed,
}

/// The same socket in both.
struct Socket {
    machine: usize,
    place: Place,
    way: (SocketAddrV4, SocketAddrV4),
    theirs: Theirs,
}

struct Both {
    /// The client's, and the server's.
    ours: [Kernel; 2],
    hosts: [HostId; 2],
    listener: TcpListener,
    sockets: Vec<Socket>,
    guard: EnterGuard,
}

fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn words<T: std::fmt::Debug>(poll: Poll<io::Result<T>>) -> String {
    format!("{:?}", poll.map_err(|error| error.kind()))
}

fn of_theirs(packet: &turmoil_net::Packet) -> Packet {
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

fn to_theirs(packet: &Packet) -> turmoil_net::Packet {
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

impl Both {
    fn new() -> Both {
        let config = KernelConfig::default().retx_threshold(u32::MAX).send_buf_cap(BUFFER).recv_buf_cap(BUFFER);
        let mut net = Net::with_config(config);
        let hosts = [net.add_host([CLIENT]), net.add_host(SERVERS)];
        let guard = net.enter();
        set_current(hosts[1]);
        let listener = TcpListener::bind(SocketAddr::V4(AT)).now_or_never().unwrap().unwrap();
        let mut ours = [Kernel::new(&[CLIENT]), Kernel::new(&SERVERS)];
        assert_eq!(ours[1].listen(AT).unwrap(), AT);
        Both { ours, hosts, listener, sockets: Vec::new(), guard }
    }

    /// Both do the same; what they say of it.
    fn act(&mut self, act: &Act) -> (String, String) {
        let Both { ours, hosts, listener, sockets, guard } = self;
        let chosen = match act {
            Act::Connected(which) | Act::Write(which, _) | Act::Read(which, _) => *which,
            Act::ShutDown(which) | Act::Close(which) | Act::Reset(which) => *which,
            Act::Connect | Act::Accept | Act::Carry(_) => 0,
        };
        let chosen = chosen % sockets.len().max(1);
        let deliver = |ours: &mut [Kernel; 2], packet: Packet| {
            guard.deliver(to_theirs(&packet));
            ours[usize::from(*packet.to.ip() != CLIENT)].deliver(packet);
        };
        match act {
            Act::Connect => {
                set_current(hosts[0]);
                let mut connecting = Box::pin(TcpStream::connect(SocketAddr::V4(AT)));
                assert!(connecting.as_mut().poll(&mut nobody()).is_pending());
                let place = ours[0].connect(AT).unwrap();
                let way = (ours[0].at(place).unwrap().own, AT);
                sockets.push(Socket { machine: 0, place, way, theirs: Theirs::Connecting(connecting) });
            }
            Act::Accept => {
                set_current(hosts[1]);
                let theirs = listener.poll_accept(&mut nobody());
                let own = ours[1].poll_accept(AT, &nobody());
                return match (own, theirs) {
                    (Poll::Ready(Ok((place, peer))), Poll::Ready(Ok((stream, other)))) => {
                        sockets.push(Socket { machine: 1, place, way: (AT, peer), theirs: Theirs::Open(stream) });
                        (peer.to_string(), other.to_string())
                    }
                    (own, theirs) => (words(own.map_ok(drop)), words(theirs.map_ok(drop))),
                };
            }
            Act::Carry(lost) => {
                let (mut own, mut theirs) = (Vec::new(), Vec::new());
                ours.iter_mut().for_each(|kernel| kernel.emit(&mut own));
                guard.egress_all(&mut theirs);
                let theirs: Vec<_> = theirs.iter().map(of_theirs).collect();
                if own != theirs {
                    return (format!("{own:?}"), format!("{theirs:?}"));
                }
                let carried = own.into_iter().enumerate().filter(|(place, _)| lost & (1 << (place % 8)) == 0);
                carried.for_each(|(_, packet)| deliver(ours, packet));
            }
            _ if sockets.is_empty() => {}
            Act::Reset(_) => {
                let (own, peer) = sockets[chosen].way;
                deliver(ours, packet::reset(peer, own));
            }
            Act::Close(_) => {
                let socket = sockets.remove(chosen);
                set_current(hosts[socket.machine]);
                if !matches!(socket.theirs, Theirs::Failed) {
                    ours[socket.machine].close(socket.place);
                }
            }
            _ => {
                let Socket { machine, place, theirs, .. } = &mut sockets[chosen];
                set_current(hosts[*machine]);
                return on_socket(&mut ours[*machine], *place, theirs, act);
            }
        }
        Default::default()
    }
}

fn on_socket(kernel: &mut Kernel, place: Place, theirs: &mut Theirs, act: &Act) -> (String, String) {
    if let (Theirs::Connecting(connecting), Act::Connected(_)) = (&mut *theirs, act) {
        let found = connecting.as_mut().poll(&mut nobody());
        let own = kernel.poll_connected(place, &nobody());
        let said = match &found {
            Poll::Ready(Ok(_)) => words(Poll::Ready(Ok(()))),
            Poll::Ready(Err(error)) => words::<()>(Poll::Ready(Err(error.kind().into()))),
            Poll::Pending => words::<()>(Poll::Pending),
        };
        match found {
            Poll::Ready(Ok(stream)) => *theirs = Theirs::Open(stream),
            Poll::Ready(Err(_)) => {
                kernel.close(place);
                *theirs = Theirs::Failed;
            }
            Poll::Pending => {}
        }
        return (words(own), said);
    }
    let Theirs::Open(stream) = theirs else { return Default::default() };
    let mut stream = Pin::new(stream);
    match act {
        Act::Write(_, length) => {
            let bytes: Vec<u8> = (0..*length).map(|byte| byte as u8).collect();
            let own = kernel.poll_write(place, &nobody(), &bytes);
            (words(own), words(stream.poll_write(&mut nobody(), &bytes)))
        }
        Act::Read(_, most) => {
            let (mut one, mut other) = (vec![0; *most], vec![0; *most]);
            let (mut one, mut other) = (ReadBuf::new(&mut one), ReadBuf::new(&mut other));
            let own = kernel.read(place, &mut one, *most).map_ok(drop);
            let theirs = stream.as_mut().poll_read(&mut nobody(), &mut other);
            (words(own) + &format!("{:?}", one.filled()), words(theirs) + &format!("{:?}", other.filled()))
        }
        Act::ShutDown(_) => {
            let own = kernel.shut_down(place);
            (words(Poll::Ready(own)), words(stream.poll_shutdown(&mut nobody())))
        }
        _ => Default::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn it_does_what_turmoil_nets_does(acts in prop::collection::vec(act(), 1..80)) {
        let mut both = Both::new();
        for act in acts {
            let (ours, theirs) = both.act(&act);
            prop_assert_eq!(ours, theirs, "{:?}", act);
        }
    }
}
