//! Toxics on new connections: `refuse` and `hang`, and which of several applies.

use std::io::ErrorKind;

use super::*;

fn refused(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, PATIENCE).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Whether a connect hangs for 500 ms: less than one second, after which the kernel would send another SYN.
fn hangs(address: SocketAddr) -> bool {
    let short = Duration::from_millis(500);
    TcpStream::connect_timeout(&address, short).is_err_and(|error| error.kind() == ErrorKind::TimedOut)
}

#[test]
fn refuse_leaves_open_connections_alone() {
    let api = Api::new();
    let address = api.echo();
    let mut open = connect(address);
    echo(&mut open);
    api.toxic(json!({"type": "refuse"}));
    assert!(refused(address));
    echo(&mut open);
    api.expect_no_content("DELETE", "/proxies/echo/toxics/refuse_downstream");
    echo(&mut connect(address));
}

#[test]
fn hang_is_silence_and_is_counted() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "hang"}));
    assert!(hangs(address));
    assert!(api.tap()["syns_dropped"].as_u64().unwrap() >= 1, "{}", api.tap());
    api.expect_no_content("DELETE", "/proxies/echo/toxics/hang_downstream");
    echo(&mut connect(address));
}

#[test]
fn precedence_is_disabled_then_refuse_then_hang() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "hang"}));
    api.toxic(json!({"type": "refuse"}));
    assert!(refused(address));
    api.expect_no_content("DELETE", "/proxies/echo/toxics/refuse_downstream");
    assert!(hangs(address));
    api.request("POST", "/proxies/echo", json!({"enabled": false}), 200);
    assert!(refused(address));
    api.request("POST", "/proxies/echo", json!({"enabled": true}), 200);
    assert!(hangs(address));
    api.expect_no_content("POST", "/reset");
    echo(&mut connect(address));
}
