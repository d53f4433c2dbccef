//! The packet filter's rules for each fault. Plain data.
//!
//! Each rule matches only packets between the client and the port of its servers. DNS uses another port.

use crate::model::fault::{FaultKind, IcmpCode, Scope, Share, Stream};
use crate::netns::{MARK, PORT, PacketRule, SECOND_MARK, Way};

/// Counter of packets of connections that a fault spares: supporting evidence.
pub(super) const LET_THROUGH: &str = "packets let through";

/// Matches the first packet of a connection.
const SYN: &str = "tcp flags & (fin | syn | rst | ack) == syn";

/// Matches a reset.
const RST: &str = "tcp flags & rst == rst";

/// Returns the rules of a fault; empty for one that rules alone cannot produce.
pub(crate) fn rules(fault: FaultKind) -> Vec<PacketRule> {
    match fault {
        FaultKind::Blackhole { stream, scope } => blackhole(stream, scope),
        FaultKind::PacketLoss(share) => loss(share),
        FaultKind::RejectIcmp(code) => vec![rule(Way::Up, "", Some("rejects sent"), refusal(code))],
        // The next packet of either side is answered; only RSTs to the client are counted.
        FaultKind::Reject => {
            let reject = "reject with tcp reset";
            vec![rule(Way::Up, "", Some("RSTs sent"), reject), rule(Way::Down, "", None, reject)]
        }
        FaultKind::Hang => unanswered(),
        FaultKind::Toxic(toxic) if toxic.kills_flows() => dead_flows(toxic.stream),
        _ => Vec::new(),
    }
}

/// Returns a rule that drops SYNs only.
pub(crate) fn unanswered() -> Vec<PacketRule> {
    vec![rule(Way::Up, SYN, Some("SYNs dropped"), "drop")]
}

/// Returns rules that drop, and count, the first RST to the client on each connection that exists when they are
/// installed.
pub(super) fn silence(kept_back: &'static str) -> Vec<PacketRule> {
    let first = format!("{} {} {RST}", MARK.absent, SECOND_MARK.absent);
    vec![newcomer(), rule(Way::Down, &first, Some(kept_back), "ct mark set ct mark or %second drop")]
}

/// Returns rules that count RSTs to the client on connections that exist when they are installed.
pub(super) fn resets(counted: &'static str) -> Vec<PacketRule> {
    let count = |which: &str| rule(Way::Down, &format!("{which} {RST}"), Some(counted), "");
    // The connection table forgets a reset connection after ten seconds; its packets are then invalid.
    vec![newcomer(), count(MARK.absent), count("ct state invalid")]
}

/// Returns a rule for packets to or from the port of the servers.
fn rule(way: Way, matches: &str, counted: Option<&'static str>, verdict: &'static str) -> PacketRule {
    let servers = match way {
        Way::Up => format!("tcp dport {PORT}"),
        Way::Down => format!("tcp sport {PORT}"),
    };
    PacketRule { way, matches: format!("{servers} {matches}"), counted, verdict }
}

/// Returns a rule that marks connections that begin from now on: one without the mark is older than the filter.
fn newcomer() -> PacketRule {
    rule(Way::Up, "ct state new", None, MARK.set)
}

fn ways(stream: Stream) -> &'static [Way] {
    match stream {
        Stream::Upstream => &[Way::Up],
        Stream::Downstream => &[Way::Down],
        Stream::Both => &[Way::Up, Way::Down],
    }
}

fn blackhole(stream: Stream, scope: Scope) -> Vec<PacketRule> {
    let dropped = |matches: &str| ways(stream).iter().map(move |way| rule(*way, matches, DROPPED, "drop")).collect();
    match scope {
        Scope::Every => dropped(""),
        Scope::New => {
            // Dropping the first packets suffices: no connection is established without them.
            let passed = |way| rule(way, "ct state established", Some(LET_THROUGH), "");
            vec![rule(Way::Up, "ct state new", Some("SYNs dropped"), "drop"), passed(Way::Up), passed(Way::Down)]
        }
        Scope::Established => {
            let old: Vec<_> = dropped(MARK.absent);
            std::iter::once(newcomer()).chain(old).collect()
        }
    }
}

const DROPPED: Option<&str> = Some("packets dropped");

/// Returns rules that drop every packet of connections that exist when they are installed. Each is counted at its
/// first packet.
fn dead_flows(stream: Stream) -> Vec<PacketRule> {
    let unseen = format!("{} {}", MARK.absent, SECOND_MARK.absent);
    let seen = ways(stream).iter().map(|way| rule(*way, &unseen, Some("flows withheld"), SECOND_MARK.set));
    let dropped = ways(stream).iter().map(|way| rule(*way, MARK.absent, None, "drop"));
    std::iter::once(newcomer()).chain(seen).chain(dropped).collect()
}

fn loss(share: Share) -> Vec<PacketRule> {
    // In millionths, the unit in which a share is stored.
    let drawn = format!("numgen random mod 1000000 < {}", (share.as_f64() * 1e6).round());
    ways(Stream::Both).iter().map(|way| rule(*way, &drawn, DROPPED, "drop")).collect()
}

fn refusal(code: IcmpCode) -> &'static str {
    match code {
        IcmpCode::AdminProhibited => "reject with icmp type admin-prohibited",
        IcmpCode::HostProhibited => "reject with icmp type host-prohibited",
        IcmpCode::HostUnreachable => "reject with icmp type host-unreachable",
        IcmpCode::NetUnreachable => "reject with icmp type net-unreachable",
        IcmpCode::PortUnreachable => "reject with icmp type port-unreachable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{Toxic, ToxicKind};

    /// Returns direction, counter and verdict of each rule of a fault.
    fn outline(fault: FaultKind) -> Vec<(Way, Option<&'static str>, &'static str)> {
        rules(fault).into_iter().map(|rule| (rule.way, rule.counted, rule.verdict)).collect()
    }

    fn stalled(scope: Scope, close_after: Option<std::time::Duration>) -> FaultKind {
        FaultKind::Toxic(Toxic { scope, ..ToxicKind::Stall { close_after }.into() })
    }

    #[test]
    fn a_blackhole_takes_the_ways_and_the_connections_that_it_is_told() {
        let of = |stream, scope| outline(FaultKind::Blackhole { stream, scope });
        let (up, down) = ((Way::Up, DROPPED, "drop"), (Way::Down, DROPPED, "drop"));
        assert_eq!(of(Stream::Both, Scope::Every), [up, down]);
        assert_eq!(of(Stream::Upstream, Scope::Every), [up]);
        assert_eq!(of(Stream::Downstream, Scope::Every), [down]);
        assert_eq!(of(Stream::Downstream, Scope::Established), [(Way::Up, None, MARK.set), down]);
        assert_eq!(
            of(Stream::Both, Scope::New),
            [
                (Way::Up, Some("SYNs dropped"), "drop"),
                (Way::Up, Some(LET_THROUGH), ""),
                (Way::Down, Some(LET_THROUGH), "")
            ]
        );
    }

    #[test]
    fn a_dead_flow_is_counted_before_it_is_dropped() {
        let [set, count, drop] = [(MARK.set, None), (SECOND_MARK.set, Some("flows withheld")), ("drop", None)];
        let expected = [set, count, count, drop, drop];
        let found = outline(stalled(Scope::Established, None));
        assert_eq!(found.iter().map(|(_, counted, verdict)| (*verdict, *counted)).collect::<Vec<_>>(), expected);
        // The gateway carries out every other kind of stall.
        let after = Some(std::time::Duration::from_secs(1));
        assert!(outline(stalled(Scope::Every, None)).is_empty());
        assert!(outline(stalled(Scope::Established, after)).is_empty());
    }

    #[test]
    fn every_rule_is_about_the_servers_of_the_client_alone() {
        let loss = FaultKind::PacketLoss(Share::new(0.2).unwrap());
        let hole = |scope| FaultKind::Blackhole { stream: Stream::Both, scope };
        let faults = [loss, hole(Scope::Every), hole(Scope::New), hole(Scope::Established), FaultKind::Hang]
            .into_iter()
            .chain([FaultKind::Reject, stalled(Scope::Established, None)])
            .chain(IcmpCode::ALL.map(|(_, code)| FaultKind::RejectIcmp(code)));
        let own = [silence("lost"), resets("sent"), unanswered()].into_iter().flatten();
        for rule in faults.flat_map(rules).chain(own) {
            let end = if rule.way == Way::Up { "tcp dport 5432" } else { "tcp sport 5432" };
            assert!(rule.matches.starts_with(end), "{rule:?}");
            let one = rule.for_server([198, 18, 0, 10].into()).matches;
            let which = if rule.way == Way::Up { "ip daddr 198.18.0.10 " } else { "ip saddr 198.18.0.10 " };
            assert!(one.starts_with(which) && one.ends_with(&rule.matches), "{one}");
        }
        assert!(rules(loss)[0].matches.contains("mod 1000000 < 200000"));
    }
}
