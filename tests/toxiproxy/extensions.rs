//! The extensions of Toxiproxy's API: ending open connections, lost state, idle timeouts, and the tap.

use std::io::ErrorKind;

use super::*;

#[test]
fn open_connections_are_reset_or_closed() {
    for (path, end) in [("/proxies/echo/reset", Err(ErrorKind::ConnectionReset)), ("/proxies/echo/close", Ok(()))] {
        // A new service each time, because an old connection still counts for a moment after its client has left.
        let api = Api::new();
        let address = api.echo();
        let mut streams = [connect(address), connect(address)];
        streams.iter_mut().for_each(|stream| {
            echo(stream);
        });
        assert_eq!(api.request("POST", path, Value::Null, 200), json!({"connections": 2}));
        for stream in &mut streams {
            assert_eq!(end_of(stream), end);
        }
        echo(&mut connect(address));
    }
}

#[test]
fn stall_of_established_connections_only() {
    let api = Api::new();
    let address = api.echo();
    let mut old = connect(address);
    echo(&mut old);
    let made = api.toxic(json!({"type": "stall", "stream": "both", "connections": "established"}));
    assert_eq!((made["name"].clone(), made["connections"].clone()), (json!("stall_both"), json!("established")));
    old.write_all(b"word").unwrap();
    assert!(is_silent(&mut old));
    echo(&mut connect(address));
    api.expect_no_content("DELETE", "/proxies/echo/toxics/stall_both");
    old.read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn forgotten_connection_is_reset_on_send() {
    let api = Api::new();
    let address = api.echo();
    for kind in ["half_open", "forget"] {
        let mut old = connect(address);
        echo(&mut old);
        api.toxic(json!({"type": kind}));
        assert!(is_silent(&mut old), "{kind}: no FIN and no RST");
        old.write_all(b"word").unwrap();
        assert_eq!(end_of(&mut old), Err(ErrorKind::ConnectionReset), "{kind}");
        echo(&mut connect(address));
        api.expect_no_content("DELETE", &format!("/proxies/echo/toxics/{kind}_downstream"));
    }
}

#[test]
fn idle_connections_are_ended() {
    let api = Api::new();
    let address = api.echo();
    for (kind, end) in [("idle_close", Ok(())), ("idle_reset", Err(ErrorKind::ConnectionReset))] {
        api.toxic(json!({"type": kind, "attributes": {"after": 200}}));
        let mut stream = connect(address);
        echo(&mut stream);
        let began = Instant::now();
        assert_eq!(end_of(&mut stream), end, "{kind}");
        assert!(began.elapsed() >= Duration::from_millis(150), "{kind}: {:?}", began.elapsed());
        api.expect_no_content("POST", "/reset");
    }
    api.toxic(json!({"type": "idle_forget", "attributes": {"after": 100}}));
    let mut stream = connect(address);
    echo(&mut stream);
    assert!(is_silent(&mut stream));
    stream.write_all(b"word").unwrap();
    assert_eq!(end_of(&mut stream), Err(ErrorKind::ConnectionReset));
}

#[test]
fn tap_counts_connections() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tap.jsonl");
    let mut api = Api::with_tap(Some(file.clone()));
    let address = api.echo();
    let mut stay = connect(address);
    echo(&mut stay);
    for _ in 0..3 {
        echo(&mut connect(address));
    }
    until("three to have ended", || api.tap()["open"] == 1);
    let tap = api.tap();
    assert_eq!(tap["connections"]["opened"], 4);
    assert_eq!(tap["connections"]["ended"], json!({"by-client": 3}));
    assert_eq!(tap["connections"]["bytes_upstream"], 12);
    assert_eq!(tap["connects"]["last_10_seconds"], 4);
    api.request("POST", "/proxies/echo/reset", Value::Null, 200);
    until("the fourth to have ended", || api.tap()["connections"]["ended"]["reset"] == 1);

    api.shutdown();
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"pgsquall_tap": 1}));
    let (first, rest) = (&lines[1], &lines[2..]);
    assert_eq!(
        (&first["proxy"], &first["connection"], &first["change"]),
        (&json!("echo"), &json!(1), &json!("opened"))
    );
    assert!(first["at_us"].as_u64().unwrap() > 1_600_000_000_000_000);
    let ended = rest.iter().filter(|line| line["change"].get("ended").is_some()).count();
    assert_eq!(ended, 4, "{text}");
}
