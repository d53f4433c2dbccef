//! Tests of the API's JSON types: every toxic type is parsed and formatted; errors name the field and the fix.

use std::time::Duration;

use serde_json::{Value, json};

use super::api_error::ApiError;
use super::api_types::{ProxyConfig, Toxic};
use super::toxic_types::{Effect, NewConnections, TOXIC_TYPES};
use crate::gateway::{Cut, DropState, Expiry, RuleKind};
use crate::model::fault::{self, CutPoint, Point, Scope, Share, Stream, Strike, ToxicKind};

fn read(sent: Value) -> Result<Toxic, ApiError> {
    Toxic::read(sent.to_string().as_bytes())
}

fn to_json(toxic: &Toxic) -> Value {
    serde_json::to_value(toxic.to_view()).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Asserts that a toxic with these attributes has this effect, and that the API shows it as it was sent.
#[track_caller]
fn maps(kind: &str, attributes: Value, effect: Effect) {
    let toxic = read(json!({ "type": kind, "attributes": attributes })).unwrap_or_else(|c| panic!("{}", c.message));
    assert_eq!(toxic.effect, effect);
    let expected = json!({
        "name": format!("{kind}_downstream"), "type": kind, "stream": "downstream", "toxicity": 1,
        "attributes": attributes,
    });
    assert_eq!(to_json(&toxic), expected);
    assert_eq!(to_json(&read(to_json(&toxic)).unwrap()), expected, "what is shown can be sent again");
}

#[track_caller]
fn assert_refused(sent: Value, status: u16, texts: &[&str]) {
    let error = read(sent).err().expect("it was accepted");
    assert_eq!(error.status, status, "{}", error.message);
    for text in texts {
        assert!(error.message.contains(text), "{text:?} is not in {:?}", error.message);
    }
}

#[test]
fn types_of_toxiproxy_have_its_units() {
    let bytes = Effect::Bytes;
    maps("latency", json!({"latency": 50, "jitter": 7}), bytes(ToxicKind::Latency { delay: ms(50), jitter: ms(7) }));
    maps("bandwidth", json!({"rate": 20}), bytes(ToxicKind::Bandwidth { bytes_per_second: 20_000 }));
    maps("bandwidth", json!({"rate": 0}), bytes(ToxicKind::Stall { close_after: None }));
    maps("slow_close", json!({"delay": 9}), bytes(ToxicKind::SlowClose { delay: ms(9) }));
    maps("timeout", json!({"timeout": 0}), bytes(ToxicKind::Stall { close_after: None }));
    maps("timeout", json!({"timeout": 80}), bytes(ToxicKind::Stall { close_after: Some(ms(80)) }));
    maps("reset_peer", json!({"timeout": 3}), bytes(ToxicKind::Reset { after: ms(3) }));
    maps("limit_data", json!({"bytes": 12}), bytes(ToxicKind::Limit { bytes: 12 }));
    let slicer = ToxicKind::Slicer { average: 10, variation: 2, pause: Duration::from_micros(30) };
    maps("slicer", json!({"average_size": 10, "size_variation": 2, "delay": 30}), bytes(slicer));
}

#[test]
fn extension_types_map_to_gateway_rules() {
    let connections = Effect::Connections;
    maps("stall", json!({}), Effect::Bytes(ToxicKind::Stall { close_after: None }));
    maps("half_open", json!({}), connections(RuleKind::DropState(DropState::ServerSide)));
    maps("forget", json!({}), connections(RuleKind::DropState(DropState::Silently)));
    let idle = |then| connections(RuleKind::Idle { after: ms(5), then });
    maps("idle_close", json!({"after": 5}), idle(Expiry::Cut(Cut::Close)));
    maps("idle_reset", json!({"after": 5}), idle(Expiry::Cut(Cut::Reset)));
    maps("idle_forget", json!({"after": 5}), idle(Expiry::DropState));
    maps("refuse", json!({}), Effect::NewConnections(NewConnections::Refuse));
    maps("hang", json!({}), Effect::NewConnections(NewConnections::Hang));
    for (word, point) in Point::ALL {
        let cut = CutPoint { point, strike: Strike::Close, times: Some(2) };
        maps("cut_point", json!({"point": word, "action": "close", "times": 2}), connections(RuleKind::CutPoint(cut)));
    }
    let toxic = read(json!({"type": "cut_point", "attributes": {"point": "commit_reply"}})).unwrap();
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    assert_eq!(toxic.effect, connections(RuleKind::CutPoint(cut)));
    assert_eq!(to_json(&toxic)["attributes"], json!({"point": "commit-reply", "action": "reset"}));
}

#[test]
fn every_type_is_tested() {
    let this = include_str!("mod.rs");
    for kind in TOXIC_TYPES {
        assert!(this.contains(&format!("maps(\"{}\"", kind.word)), "{}", kind.word);
    }
}

#[test]
fn defaults_are_those_of_toxiproxy() {
    let toxic = read(json!({"type": "latency"})).unwrap();
    let expected = r#"{"attributes":{"jitter":0,"latency":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}"#;
    assert_eq!(serde_json::to_string(&toxic.to_view()).unwrap(), expected);
    // Numbers with a fraction of 0, unknown fields, and null for an absent field.
    let sent = json!({
        "type": "latency", "attributes": {"latency": 100.0, "jitter": null, "hue": 1}, "name": "", "enabled": true,
        "toxicity": null,
    });
    let toxic = read(sent).unwrap();
    assert_eq!(to_json(&toxic)["attributes"], json!({"latency": 100, "jitter": 0}));
    assert_eq!(toxic.name, "latency_downstream");
}

#[test]
fn stream_connections_and_toxicity() {
    let sent = json!({
        "type": "stall", "name": "x", "stream": "upstream", "toxicity": 0.25, "connections": "established",
    });
    let toxic = read(sent.clone()).unwrap();
    let expected = fault::Toxic {
        kind: ToxicKind::Stall { close_after: None },
        stream: Stream::Upstream,
        scope: Scope::Established,
        toxicity: Share::new(0.25).unwrap(),
    };
    assert_eq!(toxic.rule_kind(), Some(RuleKind::Toxic(expected)));
    assert_eq!(to_json(&toxic)["toxicity"], 0.25);
    assert_eq!(to_json(&toxic)["connections"], "established");
    assert_eq!(read(json!({"type": "stall", "stream": "both"})).unwrap().name, "stall_both");
    assert_eq!(read(json!({"type": "stall", "direction": "upstream"})).unwrap().stream, Stream::Upstream);
}

#[test]
fn update_keeps_fields_not_given() {
    let toxic = read(json!({"type": "latency", "attributes": {"latency": 5, "jitter": 1}, "toxicity": 0.5})).unwrap();
    let changed = toxic.changed(br#"{"attributes": {"latency": 9}, "name": "other", "stream": "upstream"}"#).unwrap();
    assert_eq!(changed.effect, Effect::Bytes(ToxicKind::Latency { delay: ms(9), jitter: ms(1) }));
    assert_eq!((changed.name.as_str(), changed.stream), ("latency_downstream", Stream::Downstream));
    assert_eq!(to_json(&changed)["toxicity"], 0.5);
    assert_eq!(to_json(&changed.changed(br#"{"toxicity": 1.0}"#).unwrap())["toxicity"], 1);
    assert!(toxic.changed(br#"{"attributes": {"latency": -1}}"#).is_err());
}

#[test]
fn errors_name_the_field_and_the_fix() {
    assert_refused(
        json!({"type": "latncy"}),
        400,
        &["invalid toxic type: \"latncy\"", "latency, bandwidth", "cut_point"],
    );
    assert_refused(json!({}), 400, &["missing required field: type"]);
    assert_refused(json!({"type": 7}), 400, &["type must be a text in quotes, not 7"]);
    assert_refused(json!([]), 400, &["bad request body", "an object {…} was expected, not []"]);
    assert_refused(
        json!({"type": "latency", "stream": "down"}),
        400,
        &["stream was invalid, can be either upstream or"],
    );
    assert_refused(json!({"type": "latency", "toxicity": 2}), 400, &["toxicity must be a number from 0 to 1, not 2"]);
    let latency = |value: Value| json!({"type": "latency", "attributes": {"latency": value}});
    for wrong in [json!(-1), json!("50"), json!(1.5), json!(u64::MAX), json!(1e300)] {
        assert_refused(
            latency(wrong),
            400,
            &["bad request body: attributes.latency must be a whole number from 0 to 315"],
        );
    }
    assert_refused(json!({"type": "latency", "attributes": 3}), 400, &["attributes must be an object {…}, not 3"]);
    assert_refused(json!({"type": "slicer"}), 400, &["attributes.average_size must be at least 1"]);
    assert_refused(json!({"type": "idle_close"}), 400, &["attributes.after must be at least 1", "in ms"]);
    let cut =
        |point: &str, action: &str| json!({"type": "cut_point", "attributes": {"point": point, "action": action}});
    assert_refused(json!({"type": "cut_point"}), 400, &["attributes.point is missing"]);
    assert_refused(
        cut("comit", "reset"),
        400,
        &["attributes.point must be one of encryption-request", "not \"comit\""],
    );
    assert_refused(cut("startup", "kill"), 400, &["attributes.action must be one of reset, close, hold, drop"]);
    assert_refused(cut("data-row", "drop"), 400, &["cannot be drop at this point"]);
    assert_refused(
        json!({"type": "refuse", "toxicity": 0.5}),
        400,
        &["refuse cannot be applied to a part of the connections"],
    );
    assert_refused(
        json!({"type": "forget", "connections": "new"}),
        400,
        &["forget cannot be limited to some connections"],
    );
    assert_refused(json!({"type": "stall", "connections": "old"}), 400, &["every, established or new, not \"old\""]);
    for (body, text) in
        [("", "the body is empty: send JSON"), ("{", "the body is not JSON: EOF"), ("{} x", "trailing characters")]
    {
        assert!(Toxic::read(body.as_bytes()).err().unwrap().message.contains(text), "{body}");
    }
}

#[test]
fn proxy_lists_are_parsed() {
    let list = ProxyConfig::read_list(
        br#"[{"name": "a", "upstream": "h:1"}, {"name": "b", "upstream": "h:2",
        "listen": "h:3", "enabled": false}]"#,
    );
    let config = |name: &str, upstream: &str, listen: &str, enabled| ProxyConfig {
        name: name.into(),
        listen: listen.into(),
        upstream: upstream.into(),
        enabled,
    };
    assert_eq!(list.unwrap(), [config("a", "h:1", "", true), config("b", "h:2", "h:3", false)]);
    for (text, expected) in [
        (r#"[{"name": "a", "upstream": "h:1"}, {"name": "b"}]"#, "missing required field: upstream at proxy 2"),
        (r#"[{"upstream": "h:1"}]"#, "missing required field: name at proxy 1"),
        (r#"[{"name": "a", "upstream": "h:1"}, {"name": "a", "upstream": "h:1"}]"#, "two proxies are named \"a\""),
        (r#"{"proxies": []}"#, "a list of proxies was expected"),
        (
            r#"[{"name": "a", "upstream": "h:1", "enabled": "no"}]"#,
            "enabled must be true or false, not \"no\" at proxy 1",
        ),
    ] {
        let error = ProxyConfig::read_list(text.as_bytes()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
