//! Rejected requests: their statuses, and their texts, which client libraries compare and people read.

use socket2::SockRef;

use super::*;

#[track_caller]
fn assert_error(api: &Api, method: &str, path: &str, body: Value, status: u16, error: &str) {
    let expected = json!({"error": error, "status": status});
    assert_eq!(api.request(method, path, body, status), expected, "{method} {path}");
}

#[test]
fn errors_have_toxiproxys_texts() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "latency"}));
    let config = json!({"name": "echo", "upstream": address.to_string()});
    assert_error(&api, "POST", "/proxies", config, 409, "proxy already exists");
    assert_error(&api, "POST", "/proxies", json!({"upstream": "x:1"}), 400, "missing required field: name");
    assert_error(&api, "POST", "/proxies", json!({"name": "x"}), 400, "missing required field: upstream");
    assert_error(&api, "POST", "/proxies/echo/toxics", json!({"type": "latency"}), 409, "toxic already exists");
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
        assert_error(&api, method, path, Value::Null, 404, "proxy not found");
    }
    assert_error(&api, "PATCH", "/proxies/x", json!({}), 404, "proxy not found");
    assert_error(&api, "POST", "/proxies/x/toxics", json!({}), 404, "proxy not found");
    assert_error(&api, "GET", "/proxies/echo/toxics/x", Value::Null, 404, "toxic not found");
    assert_error(&api, "DELETE", "/proxies/echo/toxics/x", Value::Null, 404, "toxic not found");
    assert_error(&api, "PATCH", "/proxies/echo/toxics/x", json!({}), 404, "toxic not found");
}

#[test]
fn bad_requests_name_the_field_and_the_fix() {
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
        let (status, answer) = api.send("POST", path, body);
        assert_eq!(status, 400, "{path} {body}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["error"].as_str().unwrap().contains(text), "{text} is not in {answer}");
    }
    assert_eq!(api.read("/proxies").as_object().unwrap().len(), 1);
}

#[test]
fn listen_on_a_taken_port() {
    let api = Api::new();
    let taken = api.echo();
    let config = json!({"name": "b", "listen": taken, "upstream": "127.0.0.1:1"});
    let answer = api.request("POST", "/proxies", config, 500);
    let text = answer["error"].as_str().unwrap();
    assert!(text.contains(&taken.to_string()) && text.contains("port"), "{text}");
    api.request("GET", "/proxies/b", Value::Null, 404);
}

#[test]
fn unknown_paths_and_methods() {
    let api = Api::new();
    api.request("GET", "/", Value::Null, 404);
    api.request("GET", "/proxies/a/b/c/d", Value::Null, 404);
    api.request("DELETE", "/proxies", Value::Null, 405);
    api.request("PUT", "/proxies/a", Value::Null, 405);
}

#[test]
fn browsers_and_oversized_bodies_are_refused() {
    let api = Api::new();
    let request = |header: &str| format!("GET /proxies HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n\r\n");
    assert_eq!(api.raw(&request("user-agent: curl/8")).0, 200);
    let (status, answer) = api.raw(&request("user-agent: Mozilla/5.0 (X11)"));
    assert!(status == 403 && answer.contains("User agent not allowed"), "{status} {answer}");
    assert_eq!(api.raw(&request("origin: http://example.org")).0, 403);

    let long = " ".repeat((1 << 20) + 1);
    let (status, answer) = api.send("POST", "/proxies", &long);
    assert!(status == 413 && answer.contains("\"status\":413"), "{status} {answer}");
}

#[test]
fn version_is_toxiproxys() {
    let (status, body) = Api::new().send("GET", "/version", "");
    assert_eq!((status, body.as_str()), (200, "{\"version\": \"2.12.0\"}\n"));
}

#[test]
fn request_completes_after_its_caller_disconnects() {
    let api = Api::new();
    api.echo();
    let body = r#"{"type": "latency"}"#;
    let length = body.len();
    let request = format!("POST /proxies/echo/toxics HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(api.address()).unwrap();
    // With cork, request and FIN leave in one packet: the client has disconnected before a reply is possible.
    SockRef::from(&stream).set_tcp_cork(true).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream);
    // The toxic was added completely: it is listed and can be removed.
    until("the toxic", || api.read("/proxies/echo/toxics")[0]["name"] == "latency_downstream");
    api.expect_no_content("DELETE", "/proxies/echo/toxics/latency_downstream");
}
