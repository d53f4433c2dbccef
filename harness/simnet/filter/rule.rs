//! One rule: which packets it affects, its verdict on them, and its counters.
//!
//! The counters have the same names and meanings as those of the kernel plane.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::super::flow::{CALLED, Flow};
use super::super::packet::Kind;
use super::super::trace::Verdict;
use super::is_up;
use crate::model::fault::{FaultKind, IcmpCode, Scope, Share, Stream};

/// Packets that a fault of new connections lets through: no evidence of an effect.
const LET_THROUGH: &str = "packets let through";
const DROPPED: &str = "packets dropped";
const SYNS_DROPPED: &str = "SYNs dropped";
const RSTS_SENT: &str = "RSTs sent";
const RSTS_KEPT_BACK: &str = "RSTs kept back";
const FLOWS_WITHHELD: &str = "flows withheld";
const REJECTS_SENT: &str = "rejects sent";
pub(super) const FLOWS_EXPIRED: &str = "flows expired";
pub(super) const FLOWS_KEPT_ALIVE: &str = "flows kept alive by probes";
const PROBES_SEEN: [&str; 2] = ["keepalives seen from the client", "keepalives seen from the server"];

/// The effect of a rule on packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterRule {
    /// Packets are lost; with `Scope::New` only the client's SYNs, until a SYN-ACK has passed.
    Blackhole { stream: Stream, scope: Scope },
    /// A share of packets is lost, drawn from the network's seed.
    Loss(Share),
    /// Packets of the client are answered by ICMP.
    Icmp(IcmpCode),
    /// Each packet is answered by RST; an RST is lost.
    Reject,
    /// SYNs are lost, so that no new connection is established.
    DropSyns,
    /// Packets of flows older than the rule are lost.
    DeadFlows(Stream),
    /// The first RST to the client on each flow older than the rule is lost.
    KeepBackResets,
    /// Counts RSTs to the client on flows older than the rule.
    CountResets,
    /// Expires flows without a packet for `after`. Later packets are answered by RST if `resets`, and otherwise lost.
    Forget { after: Duration, resets: bool },
}

impl FilterRule {
    /// The rule of a fault; `None`: the fault acts on more than packets.
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

    /// The names of the rule's counters.
    fn counter_names(self) -> &'static [&'static str] {
        match self {
            FilterRule::Blackhole { scope: Scope::New, .. } => &[SYNS_DROPPED, LET_THROUGH],
            FilterRule::Blackhole { .. } | FilterRule::Loss(_) => &[DROPPED],
            FilterRule::Icmp(_) => &[REJECTS_SENT],
            FilterRule::Reject | FilterRule::CountResets => &[RSTS_SENT],
            FilterRule::DropSyns => &[SYNS_DROPPED],
            FilterRule::DeadFlows(_) => &[FLOWS_WITHHELD],
            FilterRule::KeepBackResets => &[RSTS_KEPT_BACK],
            FilterRule::Forget { resets: false, .. } => {
                &[FLOWS_EXPIRED, FLOWS_KEPT_ALIVE, DROPPED, PROBES_SEEN[0], PROBES_SEEN[1]]
            }
            FilterRule::Forget { resets: true, .. } => {
                &[FLOWS_EXPIRED, FLOWS_KEPT_ALIVE, RSTS_SENT, PROBES_SEEN[0], PROBES_SEEN[1]]
            }
        }
    }
}

/// A rule with its counters.
#[derive(Debug)]
pub(crate) struct Rule {
    pub id: u64,
    pub effect: FilterRule,
    server: Option<Ipv4Addr>,
    /// The newest flow at the time the rule was installed.
    newest_flow: u64,
    pub since: Instant,
    pub is_in_force: bool,
    pub counts: Vec<(&'static str, u64)>,
}

/// A set of named counters.
pub(super) trait Counters {
    fn count(&mut self, name: &'static str);
}

impl Rule {
    pub fn new(id: u64, effect: FilterRule, server: Option<Ipv4Addr>, newest_flow: u64, since: Instant) -> Rule {
        let counts = effect.counter_names().iter().map(|word| (*word, 0)).collect();
        Rule { id, effect, server, newest_flow, since, is_in_force: true, counts }
    }

    pub fn concerns(&self, flow: &Flow) -> bool {
        self.server.is_none_or(|server| *flow.addresses[CALLED].ip() == server)
    }

    /// The verdict on a packet; packets that the rule does not affect pass.
    pub fn decide(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        side: usize,
        kind: Kind,
        draw: impl FnOnce(u32) -> bool,
    ) -> Verdict {
        let is_older = flow.id.number <= self.newest_flow;
        let (is_up, id) = (is_up(side), self.id);
        let is_first = |flow: &mut Flow| {
            let is_first = !flow.tracked.marks.contains(&id);
            flow.tracked.marks.extend(is_first.then_some(id));
            is_first
        };
        match self.effect {
            FilterRule::Blackhole { scope: Scope::New, .. } if is_up && !flow.tracked.is_answered => {
                self.lose(SYNS_DROPPED)
            }
            FilterRule::Blackhole { scope: Scope::New, .. } => self.pass(LET_THROUGH),
            FilterRule::Blackhole { stream, scope } if covers(stream, is_up) && (scope == Scope::Every || is_older) => {
                self.lose(DROPPED)
            }
            FilterRule::Loss(share) if draw((share.as_f64() * 1e6).round() as u32) => {
                self.count(DROPPED);
                Verdict::LostByChance
            }
            FilterRule::Icmp(code) if is_up => {
                self.count(REJECTS_SENT);
                Verdict::Unreachable(errno(code))
            }
            // An RST is not answered by RST.
            FilterRule::Reject if kind == Kind::Rst => Verdict::Lost,
            FilterRule::Reject => {
                // Evidence counts RSTs to the client only.
                if is_up {
                    self.count(RSTS_SENT);
                }
                Verdict::Reset
            }
            FilterRule::DropSyns if kind == Kind::Syn => self.lose(SYNS_DROPPED),
            FilterRule::DeadFlows(stream) if is_older && covers(stream, is_up) => {
                if is_first(flow) {
                    self.count(FLOWS_WITHHELD);
                }
                Verdict::Lost
            }
            FilterRule::KeepBackResets if is_older && !is_up && kind == Kind::Rst && is_first(flow) => {
                self.lose(RSTS_KEPT_BACK)
            }
            FilterRule::CountResets if is_older && !is_up && kind == Kind::Rst => self.pass(RSTS_SENT),
            FilterRule::Forget { after, .. } => {
                if kind == Kind::Probe && flow.tracked.expired_by.is_none() {
                    self.count(PROBES_SEEN[usize::from(!is_up)]);
                }
                self.expire_if_idle(now, flow, after);
                Verdict::Passed
            }
            _ => Verdict::Passed,
        }
    }

    /// The verdict on a packet of a flow that this rule has expired, even after its removal.
    pub fn refuse_expired(&mut self, kind: Kind) -> Verdict {
        match self.effect {
            FilterRule::Forget { resets: true, .. } if kind != Kind::Rst => {
                self.count(RSTS_SENT);
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

fn covers(stream: Stream, is_up: bool) -> bool {
    match stream {
        Stream::Both => true,
        Stream::Upstream => is_up,
        Stream::Downstream => !is_up,
    }
}

/// The errno that Linux reports for an ICMP code.
///
/// *Source*: `icmp_err_convert` in `net/ipv4/icmp.c`.
fn errno(code: IcmpCode) -> i32 {
    match code {
        IcmpCode::AdminProhibited | IcmpCode::HostProhibited | IcmpCode::HostUnreachable => libc::EHOSTUNREACH,
        IcmpCode::NetUnreachable => libc::ENETUNREACH,
        IcmpCode::PortUnreachable => libc::ECONNREFUSED,
    }
}
