//! Properties of every conversation in any pieces, and of arbitrary bytes.

use proptest::prelude::*;

use super::conversation::*;
use super::*;

/// Returns how many first bytes of a message must have arrived before its point is recognised.
fn lookahead(point: Point) -> usize {
    match point {
        Point::EncryptionRequest | Point::Startup => 8,
        Point::Authentication => 9,
        Point::CommitReply => 12,
        _ => 1,
    }
}

fn sent(said: &[Said], direction: Direction) -> Vec<u8> {
    said.iter().filter(|(way, _)| *way == direction).flat_map(|(_, bytes)| bytes.clone()).collect()
}

/// A place where a conversation reaches a point.
#[derive(Clone, Copy, Debug)]
struct Place {
    direction: Direction,
    point: Point,
    nth: usize,
    /// Offset of the message in its stream, and its length, in bytes.
    start: usize,
    length: usize,
    /// Offset of the point in the message, in bytes.
    offset: usize,
}

fn places(spoken: &[Spoken]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut starts = [0; 2];
    for Spoken { direction, bytes, lines } in spoken {
        let start = &mut starts[usize::from(*direction == Downstream)];
        for (line, offset) in lines {
            let point = Point::ALL.iter().find(|(word, _)| line.strip_prefix('@') == Some(*word));
            if let (Some(offset), Some((_, point))) = (*offset, point) {
                let nth = places.iter().filter(|place| place.point == *point).count();
                let (direction, point, start, length) = (*direction, *point, *start, bytes.len());
                places.push(Place { direction, point, nth, start, length, offset });
            }
        }
        *start += bytes.len();
    }
    places
}

/// Returns how many bytes of a message had arrived in earlier pieces when its point was recognised; 0: none.
fn torn(said: &[Said], place: Place) -> usize {
    let needed = place.start + lookahead(place.point);
    let mut end = 0;
    for (_, bytes) in said.iter().filter(|(way, _)| *way == place.direction) {
        if end + bytes.len() >= needed {
            return end.saturating_sub(place.start);
        }
        end += bytes.len();
    }
    0
}

proptest! {
    #[test]
    fn conversation_passes_and_is_noted_in_any_pieces(spoken in conversation(), lengths in lengths()) {
        let said = cut(&spoken, &lengths);
        let outcome = play(&said, Witness::default());
        let expected: Vec<_> = spoken.iter().flat_map(|spoken| &spoken.lines).map(|(line, _)| line.clone()).collect();
        prop_assert_eq!(&outcome.lines, &expected);
        let blind = play(&said, Witness { blind: true, ..Witness::default() });
        prop_assert_eq!(blind.notes(), outcome.notes());
        for outcome in [&outcome, &blind] {
            prop_assert!(outcome.strikes.is_empty());
            prop_assert_eq!(&outcome.upstream, &sent(&said, Upstream));
            prop_assert_eq!(&outcome.downstream, &sent(&said, Downstream));
        }
    }

    #[test]
    fn strike_comes_at_its_place_in_any_pieces(
        spoken in conversation(),
        lengths in lengths(),
        which in any::<prop::sample::Index>(),
        how in prop::sample::select(vec![Strike::Reset, Strike::Close, Strike::Hold]),
    ) {
        let said = cut(&spoken, &lengths);
        let places = places(&spoken);
        let place = *which.get(&places);
        let outcome = strike(&said, place.point, place.nth, how);
        let at = place.start + place.offset + torn(&said, place);
        prop_assert_eq!(&outcome.strikes, &[(place.direction, at, how)]);
        prop_assert_eq!(outcome.points().len(), places.len());
        prop_assert_eq!(outcome.passed(place.direction), sent(&said, place.direction));
    }

    #[test]
    fn drop_swallows_one_message_in_any_pieces(
        spoken in conversation(),
        lengths in lengths(),
        which in any::<prop::sample::Index>(),
    ) {
        let said = cut(&spoken, &lengths);
        let place = *which.get(&places(&spoken));
        let outcome = strike(&said, place.point, place.nth, Strike::Drop);
        let torn = torn(&said, place);
        let mut expected = sent(&said, place.direction);
        if place.point == Point::CommitReply && torn > 0 {
            prop_assert_eq!(&outcome.strikes, &[(Downstream, place.start + torn, Strike::Close)]);
        } else {
            prop_assert!(outcome.strikes.is_empty());
            if place.point.holds_message() {
                expected.drain(place.start + torn..place.start + place.length);
            }
        }
        // After a dropped encryption request, the session cannot interpret the answer that the conversation contains.
        if !matches!(place.point, Point::EncryptionRequest) {
            prop_assert_eq!(outcome.passed(place.direction), expected);
        }
    }

    #[test]
    fn bytes_of_any_kind_pass(
        said in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..20),
        opened in any::<bool>(),
        blind in any::<bool>(),
    ) {
        pass_all(garbage(said, opened), blind)?;
    }

    #[test]
    fn bytes_that_look_like_messages_pass(
        said in prop::collection::vec((any::<bool>(), message_like()), 0..40),
        opened in any::<bool>(),
        lengths in lengths(),
    ) {
        let said = slice(&garbage(said, opened), &lengths);
        pass_all(said.clone(), true)?;
        pass_all(said, false)?;
    }

    #[test]
    fn no_strike_upsets_message_like_bytes(
        said in prop::collection::vec((any::<bool>(), message_like()), 0..40),
        lengths in lengths(),
        point in prop::sample::select(Point::ALL.map(|(_, point)| point).to_vec()),
        nth in 0..4_usize,
        how in prop::sample::select(Strike::ALL.map(|(_, strike)| strike).to_vec()),
    ) {
        let outcome = strike(&slice(&garbage(said, true), &lengths), point, nth, how);
        prop_assert!(outcome.strikes.iter().all(|(_, _, then)| *then != Strike::Drop));
        prop_assert!(outcome.strikes.len() <= 1);
    }
}

/// Bytes that may follow the beginning of a session, or replace it.
fn garbage(said: Vec<(bool, Vec<u8>)>, opened: bool) -> Vec<Said> {
    let said = said.into_iter().map(|(up, bytes)| (if up { Upstream } else { Downstream }, bytes)).collect();
    if opened { samples::session(said) } else { said }
}

/// A message with a known tag, and a length that may be wrong.
fn message_like() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(b"123ACDEGHIKNRSTVWZcdfnpstvBFPQX".to_vec());
    let wrong = prop_oneof![12 => Just(0_i32), 1 => -6..6_i32, 1 => any::<i32>()];
    (tag, prop::collection::vec(any::<u8>(), 0..30), wrong).prop_map(|(tag, body, wrong)| {
        let length = (body.len() as i32 + 4).wrapping_add(wrong);
        [&[tag][..], &length.to_be_bytes(), &body].concat()
    })
}

fn pass_all(said: Vec<Said>, blind: bool) -> Result<(), TestCaseError> {
    let outcome = play(&said, Witness { blind, ..Witness::default() });
    prop_assert_eq!(&outcome.upstream, &sent(&said, Upstream));
    prop_assert_eq!(&outcome.downstream, &sent(&said, Downstream));
    let opaque = outcome.lines.iter().filter(|line| line.starts_with("Opaque")).count();
    prop_assert!(opaque <= 1, "noted {opaque} times");
    Ok(())
}
