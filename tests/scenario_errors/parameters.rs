//! Mistakes in the keys that only some kinds of faults have, and in the pause of the workload.

use insta::assert_snapshot;

use crate::{CLOSE, body};

/// Returns the error for a fault with a duration and these keys.
fn fault(keys: &str) -> String {
    body(&format!("[[fault]]\nat = \"2s\"\nfor = \"3s\"\n{keys}"))
}

#[test]
fn keys_of_another_kind() {
    assert_snapshot!(fault("kind = \"stall\"\njitter = \"1ms\"\n"), @r#"
    mine.toml:7:10: stall has no `jitter`
      jitter = "1ms"
               ^^^^^
    hint: remove `jitter`; keys of stall: at, for, close_after, stream, connections, toxicity
    "#);
    assert_snapshot!(fault("kind = \"refuse\"\nstream = \"upstream\"\n"), @r#"
    mine.toml:7:10: refuse has no `stream`
      stream = "upstream"
               ^^^^^^^^^^
    hint: remove `stream`; keys of refuse: at, for
    "#);
    assert_snapshot!(fault("kind = \"kill\"\nevery = \"1s\"\n"), @r#"
    mine.toml:7:9: kill has no `every`
      every = "1s"
              ^^^^
    hint: remove `every`; keys of kill: at, for
    "#);
}

#[test]
fn keys_that_are_missing() {
    assert_snapshot!(fault("kind = \"cut-point\"\naction = \"reset\"\n"), @r#"
    mine.toml:6:8: the fault has no `point`
      kind = "cut-point"
             ^^^^^^^^^^^
    hint: say at which moment of the protocol, one of: encryption-request, startup, startup-forwarded, authentication, request, query-forwarded, parse-forwarded, bind-forwarded, execute-forwarded, first-reply, data-row, command-complete, commit-reply, in-transaction
    "#);
    assert_snapshot!(fault("kind = \"cut-point\"\npoint = \"startup\"\n"), @r#"
    mine.toml:6:8: the fault has no `action`
      kind = "cut-point"
             ^^^^^^^^^^^
    hint: say what is done there: reset, close, hold or drop
    "#);
    assert_snapshot!(fault("kind = \"latency\"\n"), @r#"
    mine.toml:6:8: the fault has no `delay`
      kind = "latency"
             ^^^^^^^^^
    hint: say how much later bytes arrive, like delay = "200ms"
    "#);
    assert_snapshot!(fault("kind = \"bandwidth\"\n"), @r#"
    mine.toml:6:8: the fault has no `bytes_per_second`
      kind = "bandwidth"
             ^^^^^^^^^^^
    hint: say how much passes, like bytes_per_second = 16000
    "#);
    assert_snapshot!(fault("kind = \"idle-close\"\n"), @r#"
    mine.toml:6:8: the fault has no `after`
      kind = "idle-close"
             ^^^^^^^^^^^^
    hint: say how long a connection must be idle, like after = "2s"
    "#);
}

#[test]
fn cut_points() {
    assert_snapshot!(fault("kind = \"cut-point\"\npoint = \"comit-reply\"\n"), @r#"
    mine.toml:7:9: unknown point "comit-reply"
      point = "comit-reply"
              ^^^^^^^^^^^^^
    hint: did you mean "commit-reply"? there are: commit-reply, first-reply, startup, data-row, request, command-complete, encryption-request, authentication, query-forwarded, parse-forwarded, bind-forwarded, startup-forwarded, execute-forwarded, in-transaction
    "#);
    assert_snapshot!(fault("kind = \"cut-point\"\npoint = \"startup\"\naction = \"kill\"\n"), @r#"
    mine.toml:8:10: unknown action "kill"
      action = "kill"
               ^^^^^^
    hint: there are: hold, drop, reset, close
    "#);
    assert_snapshot!(fault("kind = \"cut-point\"\npoint = \"data-row\"\naction = \"drop\"\n"), @r#"
    mine.toml:8:10: nothing can be dropped there: it has been passed on
      action = "drop"
               ^^^^^^
    hint: write reset, close or hold; a message can be dropped at: encryption-request, startup, authentication, request, first-reply, commit-reply
    "#);
    assert_snapshot!(fault("kind = \"cut-point\"\npoint = \"startup\"\naction = \"drop\"\ntimes = 0\n"), @r#"
    mine.toml:9:9: `times` is out of range
      times = 0
              ^
    hint: 1 to 4294967294
    "#);
}

#[test]
fn toxics() {
    assert_snapshot!(fault("kind = \"latency\"\ndelay = \"50ms\"\njitter = \"200ms\"\n"), @r#"
    mine.toml:8:10: `jitter` is longer than `delay`
      jitter = "200ms"
               ^^^^^^^
    hint: at most "50ms": bytes do not arrive before they were sent
    "#);
    assert_snapshot!(fault("kind = \"bandwidth\"\nbytes_per_second = \"16kB\"\n"), @r#"
    mine.toml:7:20: wrong type: string "16kB", expected a whole number
      bytes_per_second = "16kB"
                         ^^^^^^
    hint: write a whole number, without quotes
    "#);
    assert_snapshot!(fault("kind = \"bandwidth\"\nbytes_per_second = 0\n"), @r#"
    mine.toml:7:20: `bytes_per_second` is out of range
      bytes_per_second = 0
                         ^
    hint: 1 to 4294967294
    "#);
    assert_snapshot!(fault("kind = \"slicer\"\naverage = 10\nspread = 10\n"), @r#"
    mine.toml:8:10: `spread` is out of range
      spread = 10
               ^^
    hint: 0 to 9
    "#);
    assert_snapshot!(fault("kind = \"stall\"\nstream = \"down\"\n"), @r#"
    mine.toml:7:10: unknown stream "down"
      stream = "down"
               ^^^^^^
    hint: there are: both, downstream, upstream
    "#);
    assert_snapshot!(fault("kind = \"stall\"\nconnections = \"old\"\n"), @r#"
    mine.toml:7:15: unknown choice of connections "old"
      connections = "old"
                    ^^^^^
    hint: there are: new, every, established
    "#);
    assert_snapshot!(fault("kind = \"stall\"\ntoxicity = 50\n"), @r#"
    mine.toml:7:12: `toxicity` is out of range
      toxicity = 50
                 ^^
    hint: a share of the connections: 0.5 is every second one, more than 0 and at most 1
    "#);
    assert_snapshot!(fault("kind = \"stall\"\ntoxicity = 0.0\n"), @r#"
    mine.toml:7:12: `toxicity` is out of range
      toxicity = 0.0
                 ^^^
    hint: a share of the connections: 0.5 is every second one, more than 0 and at most 1
    "#);
}

#[test]
fn packets() {
    assert_snapshot!(fault("kind = \"blackhole\"\nconnections = \"new\"\nstream = \"upstream\"\n"), @r#"
    mine.toml:8:10: a new connection has no streams yet
      stream = "upstream"
               ^^^^^^^^^^
    hint: remove `stream`: without its first packet there is no connection to have streams
    "#);
    assert_snapshot!(fault("kind = \"blackhole\"\nconnections = \"old\"\n"), @r#"
    mine.toml:7:15: unknown choice of connections "old"
      connections = "old"
                    ^^^^^
    hint: there are: new, every, established
    "#);
    assert_snapshot!(fault("kind = \"packet-loss\"\n"), @r#"
    mine.toml:6:8: the fault has no `share`
      kind = "packet-loss"
             ^^^^^^^^^^^^^
    hint: say how many packets are lost, like share = 0.2
    "#);
    assert_snapshot!(fault("kind = \"packet-loss\"\nshare = 1.0\n"), @r#"
    mine.toml:7:9: `share` is out of range
      share = 1.0
              ^^^
    hint: a share of all packets: 0.2 is every fifth; 0.001 to 0.9 (for all of them: kind = "blackhole")
    "#);
    assert_snapshot!(fault("kind = \"reject-icmp\"\n"), @r#"
    mine.toml:6:8: the fault has no `code`
      kind = "reject-icmp"
             ^^^^^^^^^^^^^
    hint: say what the firewall answers, one of: admin-prohibited, host-prohibited, host-unreachable, net-unreachable, port-unreachable
    "#);
    assert_snapshot!(fault("kind = \"reject-icmp\"\ncode = \"admin-prohibit\"\n"), @r#"
    mine.toml:7:8: unknown code "admin-prohibit"
      code = "admin-prohibit"
             ^^^^^^^^^^^^^^^^
    hint: did you mean "admin-prohibited"? there are: admin-prohibited, host-prohibited, net-unreachable, host-unreachable, port-unreachable
    "#);
    assert_snapshot!(fault("kind = \"hang\"\ncode = \"host-unreachable\"\n"), @r#"
    mine.toml:7:8: hang has no `code`
      code = "host-unreachable"
             ^^^^^^^^^^^^^^^^^^
    hint: remove `code`; keys of hang: at, for
    "#);
}

#[test]
fn repetition() {
    assert_snapshot!(fault("kind = \"reset\"\nevery = \"3s\"\n"), @r#"
    mine.toml:5:7: it lasts too short for a reset to be repeated
      for = "3s"
            ^^^^
    hint: make it longer than "3s", or remove `every` and `for`
    "#);
    assert_snapshot!(fault("kind = \"reset\"\nevery = \"1ms\"\n"), @r#"
    mine.toml:7:9: `every` is too short
      every = "1ms"
              ^^^^^
    hint: make it at least "10ms"
    "#);
    assert_snapshot!(body(&format!("{CLOSE}every = \"500ms\"\n")), @r#"
    mine.toml:4:8: the fault has no `for`
      kind = "close"
             ^^^^^^^
    hint: say how long it lasts until it is healed, like for = "5s"
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"half-open\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:6:7: half-open is over as soon as it is done, so it lasts for no time
      for = "3s"
            ^^^^
    hint: remove `for`
    "#);
}

#[test]
fn overlapping_faults_are_refused() {
    let refuse = "[[fault]]\nkind = \"refuse\"\nat = \"2s\"\nfor = \"3s\"\n";
    let restart = "[[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"4s\"\nfor = \"3s\"\n";
    assert_snapshot!(body(&format!("{refuse}{restart}")), @r#"
    mine.toml:10:6: restart (fast) comes while the refuse of line 5 is in force, until 5s
      at = "4s"
           ^^^^
    hint: write at = "5s" or later, or make the other shorter
    "#);
    let stall = "[[fault]]\nkind = \"stall\"\nat = \"2s\"\nfor = \"3s\"\n";
    assert_snapshot!(body(&format!("{stall}{}", stall.replace("2s", "4s"))), @r#"
    mine.toml:9:6: stall comes while the stall of line 5 is in force, until 5s
      at = "4s"
           ^^^^
    hint: write at = "5s" or later, or make the other shorter
    "#);
}

#[test]
fn devices() {
    assert_snapshot!(fault("kind = \"idle-device\"\n"), @r#"
    mine.toml:6:8: the fault has no `device`
      kind = "idle-device"
             ^^^^^^^^^^^^^
    hint: say which, one of: aws-nlb, azure-lb, azure-nat, gcp-firewall, nginx, envoy, rds-proxy
    "#);
    assert_snapshot!(fault("kind = \"idle-device\"\ndevice = \"azure-slb\"\n"), @r#"
    mine.toml:7:10: unknown device "azure-slb"
      device = "azure-slb"
               ^^^^^^^^^^^
    hint: did you mean "azure-lb"? there are: azure-lb, azure-nat, aws-nlb, envoy, gcp-firewall, nginx, rds-proxy
    "#);
    assert_snapshot!(fault("kind = \"idle-device\"\ndevice = \"nginx\"\nscale = 0\n"), @r#"
    mine.toml:8:9: `scale` is out of range
      scale = 0
              ^
    hint: 1 to 86400: the device's own time is divided by it
    "#);
    assert_snapshot!(fault("kind = \"idle-device\"\ndevice = \"nginx\"\nafter = \"1s\"\n"), @r#"
    mine.toml:8:9: idle-device has no `after`
      after = "1s"
              ^^^^
    hint: remove `after`; keys of idle-device: at, for, device, scale
    "#);
    assert_snapshot!(fault("kind = \"idle-drop\"\nafter = \"1500ms\"\n"), @r#"
    mine.toml:7:9: `after` is no whole number of seconds
      after = "1500ms"
              ^^^^^^^^
    hint: the table of connections counts in whole seconds: write "2s"
    "#);
    assert_snapshot!(fault("kind = \"idle-drop\"\nafter = \"500ms\"\n"), @r#"
    mine.toml:7:9: `after` is too short
      after = "500ms"
              ^^^^^^^
    hint: make it at least "1s"
    "#);
    assert_snapshot!(fault("kind = \"idle-drop\"\n"), @r#"
    mine.toml:6:8: the fault has no `after`
      kind = "idle-drop"
             ^^^^^^^^^^^
    hint: say how long a connection must be idle, like after = "2s"
    "#);
}

#[test]
fn pauses() {
    let pause = |pause: &str| body(&format!("[load]\npause = {pause}\n{CLOSE}"));
    assert_snapshot!(pause("\"5s\""), @r#"
    mine.toml:4:9: wrong type: string "5s", expected a table
      pause = "5s"
              ^^^^
    hint: write its name in [brackets] on a line of its own, its keys below
    "#);
    assert_snapshot!(pause("{ at = \"2s\" }"), @r#"
    mine.toml:4:9: the pause has no `for`
      pause = { at = "2s" }
              ^^^^^^^^^^^^^
    hint: say for how long nothing is begun, like for = "4s"
    "#);
    assert_snapshot!(pause("{ for = \"2s\" }"), @r#"
    mine.toml:4:9: the pause has no `at`
      pause = { for = "2s" }
              ^^^^^^^^^^^^^^
    hint: say how long after the steady state it begins, like at = "2s"
    "#);
    assert_snapshot!(pause("{ at = \"2s\", for = \"0s\" }"), @r#"
    mine.toml:4:28: `for` is zero
      pause = { at = "2s", for = "0s" }
                                 ^^^^
    hint: make it at least "1ms"
    "#);
    assert_snapshot!(pause("{ at = \"100ms\", for = \"1s\" }"), @r#"
    mine.toml:4:16: too early: the client must be seen to work before the pause
      pause = { at = "100ms", for = "1s" }
                     ^^^^^^^
    hint: write at = "500ms" or later
    "#);
    assert_snapshot!(pause("{ at = \"2001ms\", for = \"1s\" }"), @r#"
    mine.toml:4:16: too late: the pause would interrupt the recovery that is timed
      pause = { at = "2001ms", for = "1s" }
                     ^^^^^^^^
    hint: write at = "2s", when the last fault is over, or earlier
    "#);
    assert_snapshot!(pause("{ at = \"2s\", until = \"1s\" }"), @r#"
    mine.toml:4:22: unknown key "until"
      pause = { at = "2s", until = "1s" }
                           ^^^^^
    hint: keys here: at, for
    "#);
    assert_snapshot!(body("[load]\nlisten = 1\n"), @r#"
    mine.toml:4:10: wrong type: integer `1`, expected true or false
      listen = 1
               ^
    hint: write true or false, without quotes
    "#);
    assert_snapshot!(body("[budget]\nundisturbed = \"yes\"\n"), @r#"
    mine.toml:4:15: wrong type: string "yes", expected true or false
      undisturbed = "yes"
                    ^^^^^
    hint: write true or false, without quotes
    "#);
}
