//! Requests about proxies: create, list, change, populate, reset and delete.

use std::io::ErrorKind;
use std::net::TcpStream;

use super::*;

#[test]
fn proxy_life_cycle() {
    let api = Api::new();
    assert_eq!(api.read("/proxies"), json!({}));
    let upstream = echo_server().to_string();
    let made =
        api.request("POST", "/proxies", json!({"name": "a", "listen": "localhost:0", "upstream": upstream}), 201);
    let address = address_of(&made);
    assert_ne!(address.port(), 0);
    let expected = json!({"name": "a", "listen": address, "upstream": upstream, "enabled": true, "toxics": []});
    assert_eq!(made, expected);
    assert_eq!(api.read("/proxies"), json!({"a": expected}));
    assert_eq!(api.read("/proxies/a"), expected);
    let mut stream = connect(address);
    echo(&mut stream);

    api.expect_no_content("DELETE", "/proxies/a");
    assert_eq!(end_of(&mut stream), Ok(()));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(api.read("/proxies"), json!({}));
    TcpListener::bind(address).expect("its port is free");
}

#[test]
fn deleted_proxy_can_be_created_again_at_once() {
    let api = Api::new();
    let upstream = echo_server().to_string();
    let mut listen = json!("127.0.0.1:0");
    for _ in 0..3 {
        let made = api.request("POST", "/proxies", json!({"name": "a", "listen": listen, "upstream": upstream}), 201);
        listen = made["listen"].clone();
        let mut stream = connect(address_of(&made));
        echo(&mut stream);
        // The proxy closes first, so that its socket stays in TIME_WAIT on the port.
        api.expect_no_content("DELETE", "/proxies/a");
        assert_eq!(end_of(&mut stream), Ok(()));
    }
}

#[test]
fn disabled_proxy_refuses_and_keeps_its_port() {
    let api = Api::new();
    let address = api.echo();
    for method in ["POST", "PATCH"] {
        let mut stream = connect(address);
        echo(&mut stream);
        let shown = api.request(method, "/proxies/echo", json!({"enabled": false}), 200);
        assert_eq!(shown["enabled"], false);
        assert_eq!(end_of(&mut stream), Ok(()));
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let shown = api.request(method, "/proxies/echo", json!({"enabled": true}), 200);
        assert_eq!((shown["enabled"].clone(), address_of(&shown)), (json!(true), address));
        echo(&mut connect(address));
    }
}

#[test]
fn proxy_created_disabled_listens_once_enabled() {
    let api = Api::new();
    let upstream = echo_server().to_string();
    let config = json!({"name": "echo", "listen": "127.0.0.1:0", "upstream": upstream, "enabled": false});
    let made = api.request("POST", "/proxies", config, 201);
    assert_eq!((made["listen"].clone(), made["enabled"].clone()), (json!("127.0.0.1:0"), json!(false)));
    api.toxic(json!({"type": "latency", "attributes": {"latency": 200}}));
    let address = address_of(&api.request("POST", "/proxies/echo", json!({"enabled": true}), 200));
    let took = echo(&mut connect(address));
    assert!(took >= Duration::from_millis(200), "{took:?}");
}

#[test]
fn upstream_and_listen_address_can_change() {
    let api = Api::new();
    let address = api.echo();
    let mut old = connect(address);
    echo(&mut old);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = silent.local_addr().unwrap().to_string();
    let shown = api.request("POST", "/proxies/echo", json!({"upstream": upstream}), 200);
    assert_eq!((shown["upstream"].clone(), address_of(&shown)), (json!(upstream), address));
    assert_eq!(end_of(&mut old), Ok(()), "Toxiproxy cuts them too");
    let _client = connect(address);
    silent.accept().unwrap();

    api.toxic(json!({"type": "stall", "stream": "upstream"}));
    let shown = api.request("POST", "/proxies/echo", json!({"listen": "127.0.0.1:0"}), 200);
    assert_ne!(address_of(&shown), address);
    assert_eq!(shown["toxics"][0]["name"], "stall_upstream");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let mut client = connect(address_of(&shown));
    let (mut server, _) = silent.accept().unwrap();
    client.write_all(b"x").unwrap();
    assert!(is_silent(&mut server), "the toxic came along");

    // The same address in another notation is not a change.
    let listen = format!("localhost:{}", address_of(&shown).port());
    api.request("POST", "/proxies/echo", json!({"listen": listen, "upstream": upstream}), 200);
    assert!(is_silent(&mut client), "it was not cut");
}

#[test]
fn failed_change_leaves_the_proxy_unchanged() {
    let api = Api::new();
    let address = api.echo();
    let mut stream = connect(address);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let error = api.request("POST", "/proxies/echo", json!({"listen": listen}), 500);
    assert!(error["error"].as_str().unwrap().contains(&listen.to_string()), "{error}");
    api.request("POST", "/proxies/echo", json!({"upstream": "no-port"}), 400);
    api.request("POST", "/proxies/echo", json!({"upstream": "no-such-host.invalid:1"}), 400);
    echo(&mut stream);
    assert_eq!(address_of(&api.read("/proxies/echo")), address);
}

#[test]
fn populate_creates_keeps_and_replaces() {
    let api = Api::new();
    let upstream = echo_server().to_string();
    let config = |name: &str, upstream: &str| json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream});
    let first = api.request("POST", "/populate", json!([config("a", &upstream), config("b", &upstream)]), 201);
    assert_eq!(first["proxies"][1]["name"], "b");
    let address = address_of(&first["proxies"][0]);
    let mut stream = connect(address);
    echo(&mut stream);

    let other = echo_server().to_string();
    let list = json!([config("a", &upstream), config("b", &other), config("c", &upstream)]);
    let second = api.request("POST", "/populate", list, 201);
    assert_eq!(second["proxies"].as_array().unwrap().len(), 3);
    assert_eq!(second["proxies"][0], first["proxies"][0]);
    assert_eq!(second["proxies"][1]["upstream"], json!(other));
    echo(&mut stream);

    let error = api.request("POST", "/populate", json!([config("d", &upstream), {"name": "e"}]), 400);
    assert_eq!(error, json!({"error": "missing required field: upstream at proxy 2", "status": 400}));
    assert!(api.read("/proxies").get("d").is_none(), "no proxy is created from an invalid list");
    let error = api.request("POST", "/populate", json!([config("d", &upstream), config("e", "nowhere")]), 400);
    assert_eq!(error["proxies"][0]["name"], "d", "the created proxies are listed");
}

#[test]
fn reset_enables_and_heals_every_proxy() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "timeout"}));
    api.toxic(json!({"type": "refuse"}));
    api.request("POST", "/proxies/echo", json!({"enabled": false}), 200);
    api.expect_no_content("POST", "/reset");
    assert_eq!(api.read("/proxies/echo")["toxics"], json!([]));
    echo(&mut connect(address));
}

#[test]
fn shutdown_ends_proxies_and_api() {
    let mut api = Api::new();
    let address = api.echo();
    let mut stream = connect(address);
    echo(&mut stream);
    let http = api.address();
    api.shutdown();
    assert_eq!(end_of(&mut stream), Ok(()));
    for gone in [address, http] {
        assert_eq!(TcpStream::connect(gone).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
