//! Requests about toxics: add, list, change and remove.

use super::*;

#[test]
fn toxic_life_cycle() {
    let api = Api::new();
    let address = api.echo();
    assert_eq!(api.read("/proxies/echo/toxics"), json!([]));
    let made = api.toxic(json!({"type": "latency", "attributes": {"latency": 150}}));
    let expected = json!({
        "name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1,
        "attributes": {"latency": 150, "jitter": 0},
    });
    assert_eq!(made, expected);
    assert_eq!(api.read("/proxies/echo/toxics/latency_downstream"), expected);
    let mut stream = connect(address);
    let took = echo(&mut stream);
    assert!(took >= Duration::from_millis(150), "{took:?}");

    for (method, latency) in [("POST", 300), ("PATCH", 450)] {
        let path = "/proxies/echo/toxics/latency_downstream";
        let changed = api.request(method, path, json!({"attributes": {"latency": latency}}), 200);
        assert_eq!(changed["attributes"], json!({"latency": latency, "jitter": 0}));
        let took = echo(&mut stream);
        assert!(took >= Duration::from_millis(latency), "{took:?}");
    }
    assert_eq!(api.tap()["toxics"], json!({"latency_downstream": {"bytes": 12, "strikes": 3}}), "through all changes");

    api.expect_no_content("DELETE", "/proxies/echo/toxics/latency_downstream");
    assert_eq!(api.read("/proxies/echo/toxics"), json!([]));
    // A busy machine may delay an echo, so one fast echo is enough.
    until("an echo without the toxic", || echo(&mut stream) < Duration::from_millis(150));
}

#[test]
fn upstream_toxics_are_listed_first() {
    let api = Api::new();
    api.echo();
    for (name, stream) in [("a", "downstream"), ("b", "upstream"), ("c", "downstream"), ("d", "upstream")] {
        api.toxic(json!({"type": "latency", "name": name, "stream": stream}));
    }
    let listed = api.read("/proxies/echo/toxics");
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|toxic| toxic["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "d", "a", "c"]);
    assert_eq!(api.read("/proxies/echo")["toxics"], listed);
    assert_eq!(api.read("/proxies")["echo"]["toxics"], listed);
}

#[test]
fn toxics_survive_disabling_the_proxy() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "latency", "stream": "upstream", "attributes": {"latency": 200}}));
    api.request("POST", "/proxies/echo", json!({"enabled": false}), 200);
    api.request("POST", "/proxies/echo", json!({"enabled": true}), 200);
    let took = echo(&mut connect(address));
    assert!(took >= Duration::from_millis(200), "{took:?}");
}
