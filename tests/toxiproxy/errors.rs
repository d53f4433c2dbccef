//! What is refused, and in which words: client libraries and people read them.

use socket2::SockRef;

use super::*;

#[track_caller]
fn said(api: &Api, method: &str, path: &str, body: Value, status: u16, error: &str) {
    let expected = json!({"error": error, "status": status});
    assert_eq!(api.ask(method, path, body, status), expected, "{method} {path}");
}

#[test]
fn in_toxiproxys_words() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "latency"}));
    let config = json!({"name": "echo", "upstream": address.to_string()});
    said(&api, "POST", "/proxies", config, 409, "proxy already exists");
    said(&api, "POST", "/proxies", json!({"upstream": "x:1"}), 400, "missing required field: name");
    said(&api, "POST", "/proxies", json!({"name": "x"}), 400, "missing required field: upstream");
    said(&api, "POST", "/proxies/echo/toxics", json!({"type": "latency"}), 409, "toxic already exists");
    for (method, path) in [
        ("GET", "/proxies/x"),
        ("DELETE", "/proxies/x"),
        ("GET", "/proxies/x/toxics"),
        ("GET", "/proxies/x/toxics/latency_downstream"),
        ("DELETE", "/proxies/x/toxics/latency_downstream"),
        ("GET", "/proxies/x/tap"),
        ("POST", "/proxies/x/reset"),
        ("POST", "/proxies/x/close"),
    ] {
        said(&api, method, path, Value::Null, 404, "proxy not found");
    }
    said(&api, "PATCH", "/proxies/x", json!({}), 404, "proxy not found");
    said(&api, "POST", "/proxies/x/toxics", json!({}), 404, "proxy not found");
    said(&api, "GET", "/proxies/echo/toxics/x", Value::Null, 404, "toxic not found");
    said(&api, "DELETE", "/proxies/echo/toxics/x", Value::Null, 404, "toxic not found");
    said(&api, "PATCH", "/proxies/echo/toxics/x", json!({}), 404, "toxic not found");
}

#[test]
fn with_the_field_and_the_remedy() {
    let api = Api::new();
    api.echo();
    for (path, body, text) in [
        ("/proxies", "{", "JSON"),
        ("/proxies", "", "empty"),
        ("/proxies", r#"{"name": 3, "upstream": "x:1"}"#, "name "),
        ("/proxies", r#"{"name": "x", "upstream": "localhost"}"#, r#"upstream "localhost""#),
        ("/proxies", r#"{"name": "x", "upstream": "h.invalid:1"}"#, r#"upstream "h.invalid:1""#),
        ("/proxies", r#"{"name": "x", "upstream": "127.0.0.1:1", "listen": "x"}"#, r#"listen "x""#),
        ("/populate", "{}", "list"),
        ("/proxies/echo", r#"{"enabled": "yes"}"#, r#""yes""#),
        ("/proxies/echo/toxics", r#"{"type": "lag"}"#, "latency"),
        ("/proxies/echo/toxics", r#"{"type": "slicer"}"#, "attributes.average_size"),
    ] {
        let (status, said) = api.send("POST", path, body);
        assert_eq!(status, 400, "{path} {body}: {said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert!(said["error"].as_str().unwrap().contains(text), "{text} is not in {said}");
    }
    assert_eq!(api.read("/proxies").as_object().unwrap().len(), 1);
}

#[test]
fn a_port_that_is_taken() {
    let api = Api::new();
    let taken = api.echo();
    let config = json!({"name": "b", "listen": taken, "upstream": "127.0.0.1:1"});
    let said = api.ask("POST", "/proxies", config, 500);
    let text = said["error"].as_str().unwrap();
    assert!(text.contains(&taken.to_string()) && text.contains("port"), "{text}");
    api.ask("GET", "/proxies/b", Value::Null, 404);
}

#[test]
fn paths_and_methods_that_there_are_not() {
    let api = Api::new();
    api.ask("GET", "/", Value::Null, 404);
    api.ask("GET", "/proxies/a/b/c/d", Value::Null, 404);
    api.ask("DELETE", "/proxies", Value::Null, 405);
    api.ask("PUT", "/proxies/a", Value::Null, 405);
}

#[test]
fn browsers_and_bodies_without_end() {
    let api = Api::new();
    let request = |header: &str| format!("GET /proxies HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n\r\n");
    assert_eq!(api.raw(&request("user-agent: curl/8")).0, 200);
    let (status, said) = api.raw(&request("user-agent: Mozilla/5.0 (X11)"));
    assert!(status == 403 && said.contains("User agent not allowed"), "{status} {said}");
    assert_eq!(api.raw(&request("origin: http://example.org")).0, 403);

    let long = " ".repeat((1 << 20) + 1);
    let (status, said) = api.send("POST", "/proxies", &long);
    assert!(status == 413 && said.contains("\"status\":413"), "{status} {said}");
}

#[test]
fn the_version_is_the_dialects() {
    let (status, body) = Api::new().send("GET", "/version", "");
    assert_eq!((status, body.as_str()), (200, "{\"version\": \"2.12.0\"}\n"));
}

#[test]
fn a_caller_that_leaves_gets_its_change_all_the_same() {
    let api = Api::new();
    api.echo();
    let body = r#"{"type": "latency"}"#;
    let length = body.len();
    let request = format!("POST /proxies/echo/toxics HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(api.address()).unwrap();
    // The request and the end come in one packet, so that no answer can be in time.
    SockRef::from(&stream).set_tcp_cork(true).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream);
    // It is done whole, too: what is listed can be taken away.
    until("the toxic", || api.read("/proxies/echo/toxics")[0]["name"] == "latency_downstream");
    api.done("DELETE", "/proxies/echo/toxics/latency_downstream");
}
