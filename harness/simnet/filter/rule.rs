//! One rule: the packets that it is about, and what becomes of them.
//!
//! The words of evidence are those of the kernel plane, where the same things are counted.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::super::flow::{CALLED, Flow};
use super::super::packet::Kind;
use super::super::trace::Verdict;
use super::is_up;
use crate::model::fault::{FaultKind, IcmpCode, Scope, Share, Stream};

/// What is counted of connections that a fault leaves alone; it proves nothing.
const LET_THROUGH: &str = "packets let through";
const DROPPED: &str = "packets dropped";
const SYNS_DROPPED: &str = "SYNs dropped";
const SENT: &str = "RSTs sent";
const KEPT_BACK: &str = "RSTs kept back";
const WITHHELD: &str = "flows withheld";
const REJECTS: &str = "rejects sent";
pub(super) const EXPIRED: &str = "flows expired";
pub(super) const KEPT_ALIVE: &str = "flows kept alive by probes";
const PROBES: [&str; 2] = ["keepalives seen from the client", "keepalives seen from the server"];

/// What is done to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterRule {
    /// They vanish.
    Blackhole { stream: Stream, scope: Scope },
    /// A share of them vanishes, drawn from the network's seed.
    Loss(Share),
    /// What the client sends is answered by ICMP.
    Icmp(IcmpCode),
    /// Whoever sends one is reset.
    Reject,
    /// Nobody new comes in, and nobody hears why.
    DropSyns,
    /// The flows that are there are dead for as long as it lasts.
    DeadFlows(Stream),
    /// Of each flow that is there the first RST is kept from the client.
    KeepBackResets,
    /// The RSTs that reach the client on flows that are there are counted.
    CountResets,
    /// A flow on which nothing has moved for so long is forgotten. `resets`: whoever sends on it is told.
    Forget { after: Duration, resets: bool },
}

impl FilterRule {
    /// What a fault does to packets, if that is all that it does.
    pub fn of(fault: FaultKind) -> Option<FilterRule> {
        Some(match fault {
            FaultKind::Blackhole { stream, scope } => FilterRule::Blackhole { stream, scope },
            FaultKind::PacketLoss(share) => FilterRule::Loss(share),
            FaultKind::RejectIcmp(code) => FilterRule::Icmp(code),
            FaultKind::Reject => FilterRule::Reject,
            FaultKind::Hang => FilterRule::DropSyns,
            FaultKind::Toxic(toxic) if toxic.kills_flows() => FilterRule::DeadFlows(toxic.stream),
            FaultKind::IdleDrop { after } => FilterRule::Forget { after, resets: false },
            FaultKind::IdleReset { after } => FilterRule::Forget { after, resets: true },
            _ => return None,
        })
    }

    /// What it counts.
    fn words(self) -> &'static [&'static str] {
        match self {
            FilterRule::Blackhole { scope: Scope::New, .. } => &[SYNS_DROPPED, LET_THROUGH],
            FilterRule::Blackhole { .. } | FilterRule::Loss(_) => &[DROPPED],
            FilterRule::Icmp(_) => &[REJECTS],
            FilterRule::Reject | FilterRule::CountResets => &[SENT],
            FilterRule::DropSyns => &[SYNS_DROPPED],
            FilterRule::DeadFlows(_) => &[WITHHELD],
            FilterRule::KeepBackResets => &[KEPT_BACK],
            FilterRule::Forget { resets: false, .. } => &[EXPIRED, KEPT_ALIVE, DROPPED, PROBES[0], PROBES[1]],
            FilterRule::Forget { resets: true, .. } => &[EXPIRED, KEPT_ALIVE, SENT, PROBES[0], PROBES[1]],
        }
    }
}

/// A rule, with what it has counted.
#[derive(Debug)]
pub(crate) struct Rule {
    pub id: u64,
    pub what: FilterRule,
    server: Option<Ipv4Addr>,
    /// The newest flow that it found.
    newest_flow: u64,
    pub since: Instant,
    pub is_in_force: bool,
    pub counts: Vec<(&'static str, u64)>,
}

/// What counts.
pub(super) trait Count {
    fn count(&mut self, what: &'static str);
}

impl Rule {
    pub fn new(id: u64, what: FilterRule, server: Option<Ipv4Addr>, newest_flow: u64, since: Instant) -> Rule {
        let counts = what.words().iter().map(|word| (*word, 0)).collect();
        Rule { id, what, server, newest_flow, since, is_in_force: true, counts }
    }

    pub fn concerns(&self, flow: &Flow) -> bool {
        self.server.is_none_or(|server| *flow.addresses[CALLED].ip() == server)
    }

    /// What it says of a packet; what it leaves alone has passed.
    pub fn decide(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        side: usize,
        kind: Kind,
        draw: impl FnOnce(u32) -> bool,
    ) -> Verdict {
        let was_there = flow.id.number <= self.newest_flow;
        let (is_up, id) = (is_up(side), self.id);
        let is_first = |flow: &mut Flow| {
            let is_first = !flow.tracked.marks.contains(&id);
            flow.tracked.marks.extend(is_first.then_some(id));
            is_first
        };
        match self.what {
            FilterRule::Blackhole { scope: Scope::New, .. } if is_up && !flow.tracked.is_answered => {
                self.lose(SYNS_DROPPED)
            }
            FilterRule::Blackhole { scope: Scope::New, .. } => self.pass(LET_THROUGH),
            FilterRule::Blackhole { stream, scope } if goes(stream, is_up) && (scope == Scope::Every || was_there) => {
                self.lose(DROPPED)
            }
            FilterRule::Loss(share) if draw((share.as_f64() * 1e6).round() as u32) => {
                self.count(DROPPED);
                Verdict::LostByChance
            }
            FilterRule::Icmp(code) if is_up => {
                self.count(REJECTS);
                Verdict::Unreachable(errno(code))
            }
            // Nobody answers an RST with another.
            FilterRule::Reject if kind == Kind::Rst => Verdict::Lost,
            FilterRule::Reject => {
                // Only what the client hears is counted.
                if is_up {
                    self.count(SENT);
                }
                Verdict::Reset
            }
            FilterRule::DropSyns if kind == Kind::Syn => self.lose(SYNS_DROPPED),
            FilterRule::DeadFlows(stream) if was_there && goes(stream, is_up) => {
                if is_first(flow) {
                    self.count(WITHHELD);
                }
                Verdict::Lost
            }
            FilterRule::KeepBackResets if was_there && !is_up && kind == Kind::Rst && is_first(flow) => {
                self.lose(KEPT_BACK)
            }
            FilterRule::CountResets if was_there && !is_up && kind == Kind::Rst => self.pass(SENT),
            FilterRule::Forget { after, .. } => {
                if kind == Kind::Probe && flow.tracked.forgotten_by.is_none() {
                    self.count(PROBES[usize::from(!is_up)]);
                }
                self.look(now, flow, after);
                Verdict::Passed
            }
            _ => Verdict::Passed,
        }
    }

    /// What becomes of a packet of a flow that it has forgotten, also after it was lifted.
    pub fn refuse_forgotten(&mut self, kind: Kind) -> Verdict {
        match self.what {
            FilterRule::Forget { resets: true, .. } if kind != Kind::Rst => {
                self.count(SENT);
                Verdict::Reset
            }
            FilterRule::Forget { resets: true, .. } => Verdict::Lost,
            _ => self.lose(DROPPED),
        }
    }

    fn lose(&mut self, counted: &'static str) -> Verdict {
        self.count(counted);
        Verdict::Lost
    }

    fn pass(&mut self, counted: &'static str) -> Verdict {
        self.count(counted);
        Verdict::Passed
    }
}

fn goes(stream: Stream, is_up: bool) -> bool {
    match stream {
        Stream::Both => true,
        Stream::Upstream => is_up,
        Stream::Downstream => !is_up,
    }
}

/// What Linux makes of it.
///
/// *Source*: `icmp_err_convert` in `net/ipv4/icmp.c`.
fn errno(code: IcmpCode) -> i32 {
    match code {
        IcmpCode::AdminProhibited | IcmpCode::HostProhibited | IcmpCode::HostUnreachable => libc::EHOSTUNREACH,
        IcmpCode::NetUnreachable => libc::ENETUNREACH,
        IcmpCode::PortUnreachable => libc::ECONNREFUSED,
    }
}
