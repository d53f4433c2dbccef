//! Strikes: where they take effect, and which bytes are missing afterwards.

use super::samples::*;
use super::*;

fn transaction() -> Vec<Said> {
    session(vec![
        up(query("begin")),
        down([complete("BEGIN"), ready(b'T')].concat()),
        up([parse(), bind(), execute(), sync()].concat()),
        down([parse_complete(), bind_complete(), row(b"0123456789"), complete("SELECT 1"), ready(b'T')].concat()),
        up(query("commit")),
        down([complete("COMMIT"), ready(b'I')].concat()),
    ])
}

fn stream(said: &[Said], direction: Direction) -> Vec<u8> {
    said.iter().filter(|(way, _)| *way == direction).flat_map(|(_, bytes)| bytes.clone()).collect()
}

fn offset(said: &[Said], direction: Direction, part: &[u8]) -> usize {
    stream(said, direction).windows(part.len()).position(|window| window == part).unwrap()
}

#[test]
fn a_strike_comes_where_its_point_is() {
    let said = transaction();
    let after = |direction, part: &[u8]| (direction, offset(&said, direction, part) + part.len());
    let before = |direction, part: &[u8]| (direction, offset(&said, direction, part));
    let (row_at, row_length) = (offset(&said, Downstream, &row(b"0123456789")), row(b"0123456789").len());
    let places = [
        (Point::Startup, 0, (Upstream, 0)),
        (Point::StartupForwarded, 0, after(Upstream, &startup())),
        (Point::Request, 1, before(Upstream, &parse())),
        (Point::QueryForwarded, 0, after(Upstream, &query("begin"))),
        (Point::ParseForwarded, 0, after(Upstream, &parse())),
        (Point::BindForwarded, 0, after(Upstream, &bind())),
        (Point::ExecuteForwarded, 0, after(Upstream, &execute())),
        (Point::FirstReply, 1, before(Downstream, &parse_complete())),
        (Point::DataRow, 0, (Downstream, row_at + 5 + (row_length - 5) / 2)),
        (Point::CommandComplete, 1, after(Downstream, &complete("SELECT 1"))),
        (Point::CommitReply, 0, before(Downstream, &complete("COMMIT"))),
        (Point::InTransaction, 0, after(Downstream, &ready(b'T'))),
    ];
    for (point, nth, (direction, at)) in places {
        for how in [Strike::Reset, Strike::Close, Strike::Hold] {
            let outcome = strike(&said, point, nth, how);
            assert_eq!(outcome.strikes, [(direction, at, how)], "{point:?}");
            assert_eq!(outcome.lines, see(&said).lines, "after a hold all goes on, and no point comes twice");
            assert_eq!(outcome.passed(direction), stream(&said, direction));
        }
    }
}

#[test]
fn a_dropped_message_is_missing_and_nothing_else_is() {
    let said = transaction();
    let messages = [
        (Point::Startup, 0, Upstream, startup()),
        (Point::Request, 0, Upstream, query("begin")),
        (Point::Request, 1, Upstream, parse()),
        (Point::FirstReply, 1, Downstream, parse_complete()),
        (Point::CommitReply, 0, Downstream, complete("COMMIT")),
    ];
    for (point, nth, direction, message) in messages {
        let outcome = strike(&said, point, nth, Strike::Drop);
        let mut expected = stream(&said, direction);
        let at = offset(&said, direction, &message);
        expected.drain(at..at + message.len());
        assert_eq!(outcome.passed(direction), expected, "{point:?}");
        assert_eq!(outcome.strikes, []);
    }
}

#[test]
fn a_message_is_dropped_across_chunks() {
    let said = transaction();
    let bytes: Vec<_> = said.iter().flat_map(|(way, bytes)| bytes.iter().map(|byte| (*way, vec![*byte]))).collect();
    for (point, nth) in [(Point::Request, 0), (Point::Request, 1), (Point::FirstReply, 1)] {
        assert_eq!(strike(&bytes, point, nth, Strike::Drop), strike(&said, point, nth, Strike::Drop));
    }
}

#[test]
fn dropped_message_reaches_no_forwarded_point() {
    let outcome = strike(&transaction(), Point::Request, 0, Strike::Drop);
    assert!(!outcome.points()[..4].contains(&"query-forwarded"));
    let outcome = strike(&transaction(), Point::CommitReply, 0, Strike::Drop);
    assert_eq!(outcome.points().last(), Some(&"commit-reply"));
}

#[test]
fn nothing_is_dropped_where_the_message_has_passed() {
    let said = transaction();
    let points = [Point::StartupForwarded, Point::QueryForwarded, Point::DataRow, Point::CommandComplete];
    for point in points.into_iter().chain([Point::InTransaction]) {
        assert_eq!(strike(&said, point, 0, Strike::Drop), see(&said));
    }
}

#[test]
fn two_points_at_one_place_are_reached_one_after_the_other() {
    let said = transaction();
    let outcome = strike(&said, Point::FirstReply, 2, Strike::Hold);
    assert_eq!(outcome.strikes, [(Downstream, offset(&said, Downstream, &complete("COMMIT")), Strike::Hold)]);
    assert_eq!(outcome.points()[outcome.points().len() - 3..], ["first-reply", "commit-reply", "command-complete"]);
}

#[test]
fn a_demand_for_authentication_can_be_dropped() {
    let demand = authentication(5, b"salt");
    let outcome = strike(&[up(startup()), down(demand)], Point::Authentication, 0, Strike::Drop);
    assert!(outcome.downstream.is_empty());
}

/// Returns a conversation in which the first `torn` bytes of a message arrive separately from the rest.
fn torn(before: Vec<Said>, direction: Direction, message: &[u8], torn: usize) -> Vec<Said> {
    [before, vec![(direction, message[..torn].to_vec()), (direction, message[torn..].to_vec())]].concat()
}

#[test]
fn late_point_is_struck_where_it_was_recognised() {
    let commit = [complete("COMMIT"), ready(b'I')].concat();
    let before = || session(vec![up(query("commit"))]);
    let passed = stream(&before(), Downstream).len();
    for length in 1..complete("COMMIT").len() {
        let said = torn(before(), Downstream, &commit, length);
        let outcome = strike(&said, Point::CommitReply, 0, Strike::Reset);
        assert_eq!(outcome.strikes, [(Downstream, passed + length, Strike::Reset)]);
    }
    for length in 1..8 {
        let outcome = strike(&torn(vec![], Upstream, &startup(), length), Point::Startup, 0, Strike::Hold);
        assert_eq!(outcome.strikes, [(Upstream, length, Strike::Hold)]);
    }
    assert_eq!(strike(&torn(vec![], Upstream, &startup(), 8), Point::Startup, 0, Strike::Hold).strikes[0].1, 0);
}

#[test]
fn late_startup_packet_loses_the_rest() {
    let outcome = strike(&torn(vec![], Upstream, &startup(), 5), Point::Startup, 0, Strike::Drop);
    assert_eq!((outcome.upstream, outcome.strikes), (startup()[..5].to_vec(), vec![]));
}

#[test]
fn late_commit_reply_closes_the_connection() {
    let commit = [complete("COMMIT"), ready(b'I')].concat();
    let before = session(vec![up(query("commit"))]);
    let passed = stream(&before, Downstream).len();
    let outcome = strike(&torn(before, Downstream, &commit, 9), Point::CommitReply, 0, Strike::Drop);
    assert_eq!(outcome.strikes, [(Downstream, passed + 9, Strike::Close)]);
}
