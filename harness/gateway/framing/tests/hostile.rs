//! Malformed and foreign bytes.

use super::requests::seen;
use super::samples::*;
use super::*;

#[test]
fn a_client_that_does_not_speak_postgres_is_passed_on() {
    let bodies: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-x",
        &[0xff; 40],
        &untyped(2 << 16, b"\0"),
        &untyped(1234 << 16 | 4321, b""),
        b"\0\0\0\x07\0\x03\0\0",
        &[&b"\0\0\x27\x11\0\x03\0\0"[..], &[0; 20_000]].concat(),
    ];
    for body in bodies {
        assert_eq!(see(&[up(body), down("anything"), up(body)]).lines, ["Opaque NotPostgres"], "{body:?}");
    }
}

#[test]
fn untagged_requests_of_a_wrong_size_are_opaque() {
    for bytes in [untyped(80_877_103, b"x"), untyped(80_877_104, b"x"), untyped(80_877_102, b"1234567")] {
        assert_eq!(see(&[up(bytes)]).lines, ["Opaque NotPostgres"]);
    }
}

#[test]
fn length_below_four_makes_both_directions_opaque() {
    for said in [up(b"S\0\0\0\x03"), up(b"S\0\0\0\0"), down(b"A\0\0\0\x03"), down(b"A\0\0\0\0")] {
        assert_eq!(seen(vec![said, up(query("x")), down(ready(b'T'))]).lines, ["Opaque NotPostgres"]);
    }
}

#[test]
fn unknown_message_type_makes_both_directions_opaque() {
    for said in [up(b"!"), up(b"\0"), down(b"!"), down(b"\xff")] {
        assert_eq!(seen(vec![said, up(query("x")), down(ready(b'T'))]).lines, ["Opaque NotPostgres"]);
    }
}

#[test]
fn message_of_a_wrong_size_makes_both_directions_opaque() {
    for message in [message(b'Z', b""), message(b'Z', b"II"), message(b'R', b"\0\0"), message(b'K', b"\0")] {
        assert_eq!(seen(vec![down(message), up(query("x"))]).lines, ["Opaque NotPostgres"]);
    }
}

#[test]
fn the_largest_message_there_can_be_is_skipped() {
    let mut session = Session::default();
    let mut witness = Witness::default();
    let opening = [startup(), b"Q\xff\xff\xff\xff".to_vec()].concat();
    let mut inspect = |bytes: &[u8]| {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let inspected = session.inspect(Upstream, bytes, &mut witness);
            assert_eq!((inspected.pass, inspected.then), (true, None));
            bytes = &bytes[inspected.length..];
        }
        witness.lines.len()
    };
    let before = inspect(&opening);
    let chunk = vec![0; 1 << 20];
    for _ in 0..(1 << 12) - 1 {
        assert_eq!(inspect(&chunk), before);
    }
    // The rest of the body without its last byte: the length, 4 GiB - 1, includes its own four bytes.
    assert_eq!(inspect(&chunk[..(1 << 20) - 6]), before);
    assert_eq!(inspect(&chunk[..1]), before + 1, "forwarded whole");
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 700, "{} bytes", size_of::<Session>());
}
