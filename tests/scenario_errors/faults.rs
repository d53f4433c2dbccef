//! Mistakes in `[[fault]]`: in one fault, and in the times of several.

use insta::assert_snapshot;

use crate::{CLOSE, body, restart};

#[test]
fn single_faults() {
    assert_snapshot!(body(""), @r#"
    mine.toml:1:1: there is no fault
      schema = 1
      ^^^^^^^^^^
    hint: add [[fault]] with its kind, at and for; `pgsquall list` shows scenarios to copy from
    "#);
    assert_snapshot!(body("fault = []\n"), @r#"
    mine.toml:1:1: there is no fault
      schema = 1
      ^^^^^^^^^^
    hint: add [[fault]] with its kind, at and for; `pgsquall list` shows scenarios to copy from
    "#);
    assert_snapshot!(restart("kind = \"restart\"\n", ""), @r#"
    mine.toml:3:1: the fault has no `kind`
      [[fault]]
      ^^^^^^^^^
    hint: say what is injected, one of: close, reset, half-open, cut-point, refuse, hang, reject, stall, latency, bandwidth, slicer, limit, slow-close, reset-after, blackhole, packet-loss, reject-icmp, idle-drop, idle-close, idle-reset, idle-device, idle-expiry, middlebox-restart, restart, kill, freeze, terminate-sessions, exhaust-connections, wrong-password, long-recovery, crash-backend, exhaust-ordinary-c…
    "#);
    assert_snapshot!(restart("\"restart\"", "\"restrat\""), @r#"
    mine.toml:4:8: unknown kind of fault "restrat"
      kind = "restrat"
             ^^^^^^^^^
    hint: did you mean "restart"? there are: restart, reset, reject, refuse, stall, reset-after, herd, limit, freeze, close, hang, latency, slicer, idle-drop, kill, deny-host, deny-range, require-tls, dns-stale, cut-point, bandwidth, reject-icmp, idle-reset, wrong-host, dns-timeout, half-open, blackhole, idle-close, fill-disk, wrong-user, dns-failure, slow-close, packet-loss, idle-device, idle-expiry, crash…
    "#);
    assert_snapshot!(restart("\"restart\"", "\"earthquake\""), @r#"
    mine.toml:4:8: unknown kind of fault "earthquake"
      kind = "earthquake"
             ^^^^^^^^^^^^
    hint: there are: refuse, hang, stall, latency, blackhole, restart, freeze, crash-backend, dns-stale, close, reset, half-open, cut-point, reject, bandwidth, slow-close, reset-after, idle-close, herd, fill-disk, wrong-user, deny-host, deny-range, slicer, limit, packet-loss, reject-icmp, idle-drop, idle-reset, idle-device, kill, wrong-host, require-tls, dns-failure, dns-timeout, idle-expiry, exhaust-memory…
    "#);
    assert_snapshot!(restart("\"fast\"", "\"quick\""), @r#"
    mine.toml:5:8: unknown mode "quick"
      mode = "quick"
             ^^^^^^^
    hint: there are: smart, fast, immediate
    "#);
    assert_snapshot!(restart("mode = \"fast\"\n", ""), @r#"
    mine.toml:4:8: the fault has no `mode`
      kind = "restart"
             ^^^^^^^^^
    hint: write the shutdown mode: smart, fast or immediate
    "#);
    assert_snapshot!(restart("\"restart\"", "\"kill\""), @r#"
    mine.toml:5:8: kill has no `mode`
      mode = "fast"
             ^^^^^^
    hint: remove `mode`; keys of kill: at, for
    "#);
    assert_snapshot!(restart("at = \"2s\"\n", ""), @r#"
    mine.toml:3:1: the fault has no `at`
      [[fault]]
      ^^^^^^^^^
    hint: say how long after the steady state it comes, like at = "2s"
    "#);
    assert_snapshot!(restart("for = \"3s\"\n", ""), @r#"
    mine.toml:4:8: the fault has no `for`
      kind = "restart"
             ^^^^^^^^^
    hint: say how long it lasts until it is healed, like for = "5s"
    "#);
    assert_snapshot!(body(&format!("{CLOSE}for = \"3s\"\n")), @r#"
    mine.toml:6:7: close is over as soon as it is done, so it lasts for no time
      for = "3s"
            ^^^^
    hint: remove `for`, or repeat it, like every = "500ms"
    "#);
}

#[test]
fn times_of_faults() {
    let persistent = |at: &str, kind: &str| {
        body(&format!("class = \"persistent\"\n{}", CLOSE.replace("2s", at).replace("close", kind)))
    };
    assert_snapshot!(restart("2s", "0s"), @r#"
    mine.toml:6:6: too early: the client must be seen to work before the fault
      at = "0s"
           ^^^^
    hint: write at = "500ms" or later; only a class = "persistent" fault may be there from the start
    "#);
    assert_snapshot!(restart("2s", "499ms"), @r#"
    mine.toml:6:6: too early: the client must be seen to work before the fault
      at = "499ms"
           ^^^^^^^
    hint: write at = "500ms" or later; only a class = "persistent" fault may be there from the start
    "#);
    assert_snapshot!(persistent("0s", "close"), @r#"
    mine.toml:6:6: close at 0s does nothing: the client has no connection yet
      at = "0s"
           ^^^^
    hint: write at = "500ms" or later
    "#);
    assert_snapshot!(persistent("100ms", "wrong-password"), @r#"
    mine.toml:6:6: too early: the client has neither started with the fault nor been seen to work before it
      at = "100ms"
           ^^^^^^^
    hint: write at = "0s" for a fault that is there from the start, or at = "500ms" or later
    "#);
    assert_snapshot!(persistent("2s", "close"), @r#"
    mine.toml:6:6: close is over at once, so nothing here is persistent
      at = "2s"
           ^^^^
    hint: use a fault that lasts, or class = "transient"
    "#);
    let kill = "[[fault]]\nkind = \"kill\"\nat = \"4s\"\nfor = \"1s\"\n";
    assert_snapshot!(restart("[[fault]]", &format!("{kill}[[fault]]")), @r#"
    mine.toml:5:6: kill comes while the restart (fast) of line 10 is in force, until 5s
      at = "4s"
           ^^^^
    hint: write at = "5s" or later, or make the other shorter
    "#);
    assert_snapshot!(body(&format!("{CLOSE}{CLOSE}")), @r#"
    mine.toml:8:6: close comes in the same instant as the close of line 5
      at = "2s"
           ^^^^
    hint: remove one of them, or let it come later
    "#);
    assert_snapshot!(body(&format!("[budget]\nfrom = \"inject\"\ntime_to_recover = \"1s\"\n{kill}")), @r#"
    mine.toml:8:6: no client can pass: the faults last 1s, recovery from injection may take 1s
      at = "4s"
           ^^^^
    hint: count from = "heal", or allow a longer time_to_recover
    "#);
}
