//! Mistakes in the layout of servers, addresses and clients, and in faults that need a certain layout.

use insta::assert_snapshot;

use crate::{CLOSE, body};

#[test]
fn servers() {
    assert_snapshot!(body(&format!("{CLOSE}[server]\nstandby = \"yes\"\n")), @r#"
    mine.toml:7:11: wrong type: string "yes", expected true or false
      standby = "yes"
                ^^^^^
    hint: write true or false, without quotes
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[server]\ntls = \"1.1\"\n")), @r#"
    mine.toml:7:7: unknown version of TLS "1.1"
      tls = "1.1"
            ^^^^^
    hint: did you mean "1.2"? there are: 1.2, 1.3
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[server]\ntls = true\n")), @r#"
    mine.toml:7:7: wrong type: boolean `true`, expected a string
      tls = true
            ^^^^
    hint: write it in "quotes"
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[server]\nsmall_disk = \"data\"\n")), @r#"
    mine.toml:7:14: unknown small disk "data"
      small_disk = "data"
                   ^^^^^^
    hint: there are: wal, heap
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[server]\nreplicas = 2\n")), @r#"
    mine.toml:7:1: unknown key "replicas"
      replicas = 2
      ^^^^^^^^
    hint: keys here: settings, standby, tls, small_disk, keepalive
    "#);
}

#[test]
fn keepalives() {
    let keepalive = |table: &str| body(&format!("{CLOSE}[server]\nkeepalive = {table}\n"));
    assert_snapshot!(keepalive("{ idle = \"1s\", count = 5 }"), @r#"
    mine.toml:7:13: keepalive has no `interval`
      keepalive = { idle = "1s", count = 5 }
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: write all three, like keepalive = { idle = "1s", interval = "1s", count = 5 }
    "#);
    assert_snapshot!(keepalive("{ idle = \"1500ms\", interval = \"1s\", count = 5 }"), @r#"
    mine.toml:7:22: `idle` is no whole number of seconds
      keepalive = { idle = "1500ms", interval = "1s", count = 5 }
                           ^^^^^^^^
    hint: a socket's keepalive counts in whole seconds: write "2s"
    "#);
    assert_snapshot!(keepalive("{ idle = \"1s\", interval = \"500ms\", count = 5 }"), @r#"
    mine.toml:7:39: `interval` is too short
      keepalive = { idle = "1s", interval = "500ms", count = 5 }
                                            ^^^^^^^
    hint: make it at least "1s"
    "#);
    assert_snapshot!(keepalive("{ idle = \"10h\", interval = \"1s\", count = 5 }"), @r#"
    mine.toml:7:22: `idle` is too long
      keepalive = { idle = "10h", interval = "1s", count = 5 }
                           ^^^^^
    hint: at most "32767s"
    "#);
    assert_snapshot!(keepalive("{ idle = \"1s\", interval = \"1s\", count = 0 }"), @r#"
    mine.toml:7:53: `count` is out of range
      keepalive = { idle = "1s", interval = "1s", count = 0 }
                                                          ^
    hint: 1 to 127 probes
    "#);
    assert_snapshot!(keepalive("true"), @r#"
    mine.toml:7:13: wrong type: boolean `true`, expected a table
      keepalive = true
                  ^^^^
    hint: write its name in [brackets] on a line of its own, its keys below
    "#);
}

#[test]
fn clients() {
    assert_snapshot!(body(&format!("{CLOSE}[client]\nhosts = [\"primry\"]\n")), @r#"
    mine.toml:7:10: unknown host "primry"
      hosts = ["primry"]
               ^^^^^^^^
    hint: did you mean "primary"? there are: primary, nobody, standby, unresolvable
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nhosts = \"primary\"\n")), @r#"
    mine.toml:7:9: wrong type: string "primary", expected a list
      hosts = "primary"
              ^^^^^^^^^
    hint: write a list in [brackets]
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nhosts = []\n")), @r#"
    mine.toml:7:9: no address leads to a server
      hosts = []
              ^^
    hint: name at least one of "primary" and "standby"
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nhosts = [\"nobody\"]\n")), @r#"
    mine.toml:7:9: no address leads to a server
      hosts = ["nobody"]
              ^^^^^^^^^^
    hint: name at least one of "primary" and "standby"
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nhosts = [\"primary\", \"standby\"]\n")), @r#"
    mine.toml:7:21: there is no standby
      hosts = ["primary", "standby"]
                          ^^^^^^^^^
    hint: add standby = true to [server]
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nhosts = [\"primary\", \"primary\"]\n")), @r#"
    mine.toml:7:21: this host stands here twice
      hosts = ["primary", "primary"]
                          ^^^^^^^^^
    hint: each address leads somewhere else
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\ntarget_session_attrs = \"read-only\"\n")), @r#"
    mine.toml:7:24: unknown choice of sessions "read-only"
      target_session_attrs = "read-only"
                             ^^^^^^^^^^^
    hint: there are: read-write, any
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nsslmode = \"require\"\n")), @r#"
    mine.toml:7:11: unknown sslmode "require"
      sslmode = "require"
                ^^^^^^^^^
    hint: there are: prefer, disable, verify-full
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nsslmode = \"verify-full\"\n")), @r#"
    mine.toml:7:11: sslmode verify-full needs a server that speaks TLS
      sslmode = "verify-full"
                ^^^^^^^^^^^^^
    hint: add tls = "1.3" or tls = "1.2" to [server]
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\ncertificate = true\n")), @r#"
    mine.toml:7:15: a certificate is shown over TLS alone
      certificate = true
                    ^^^^
    hint: add sslmode = "verify-full" to [client], and tls = "1.3" or "1.2" to [server]
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\npassword = \"vault\"\n")), @r#"
    mine.toml:7:12: unknown place of the password "vault"
      password = "vault"
                 ^^^^^^^
    hint: there are: file, given
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\npasswords = \"file\"\n")), @r#"
    mine.toml:7:1: unknown key "passwords"
      passwords = "file"
      ^^^^^^^^^
    hint: did you mean `password`? keys here: hosts, target_session_attrs, sslmode, certificate, password, found_by
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nfound_by = \"dns\"\n")), @r#"
    mine.toml:7:12: unknown way to find the server "dns"
      found_by = "dns"
                 ^^^^^
    hint: there are: name, address
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[client]\nfound_by = \"name\"\nhosts = [\"unresolvable\"]\n")), @r#"
    mine.toml:7:12: a name that does not resolve leads to no server
      found_by = "name"
                 ^^^^^^
    hint: remove "unresolvable" from `hosts`: dns-unresolvable takes a name away for a while
    "#);
}

#[test]
fn faults_that_need_a_layout() {
    assert_snapshot!(body("[[fault]]\nkind = \"rotate-password\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: rotate-password needs a client that can learn of it
      kind = "rotate-password"
             ^^^^^^^^^^^^^^^^^
    hint: add password = "file" to [client]
    "#);
    assert_snapshot!(body("class = \"persistent\"\n[[fault]]\nkind = \"wrong-host\"\nat = \"0s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:8: wrong-host needs a name that does not resolve
      kind = "wrong-host"
             ^^^^^^^^^^^^
    hint: write hosts = ["unresolvable"] in [client]
    "#);
    assert_snapshot!(body("class = \"persistent\"\n[[fault]]\nkind = \"require-tls\"\nat = \"0s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:8: require-tls needs a server that speaks TLS
      kind = "require-tls"
             ^^^^^^^^^^^^^
    hint: add tls = "1.3" or tls = "1.2" to [server]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"client-certificate-expired\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: client-certificate-expired needs a client that has a certificate
      kind = "client-certificate-expired"
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: add certificate = true to [client]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"server-certificate-expired\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: server-certificate-expired needs a client that verifies certificates
      kind = "server-certificate-expired"
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: add sslmode = "verify-full" to [client], and tls = "1.3" or "1.2" to [server]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"fill-disk\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: fill-disk needs a disk that can be filled
      kind = "fill-disk"
             ^^^^^^^^^^^
    hint: add small_disk = "heap" or small_disk = "wal" to [server]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"promote-standby\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: promote-standby needs other addresses
      kind = "promote-standby"
             ^^^^^^^^^^^^^^^^^
    hint: add standby = true to [server]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"demote-primary\"\nat = \"2s\"\nfor = \"3s\"\n[server]\nstandby = true\n"), @r#"
    mine.toml:4:8: demote-primary needs other addresses
      kind = "demote-primary"
             ^^^^^^^^^^^^^^^^
    hint: write hosts = ["primary", "standby"] in [client]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"standby-first\"\nat = \"0s\"\nfor = \"3s\"\n[server]\nstandby = true\n"), @r#"
    mine.toml:4:8: standby-first needs other addresses
      kind = "standby-first"
             ^^^^^^^^^^^^^^^
    hint: write hosts = ["standby", "primary"] in [client]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"dead-address-hangs\"\nat = \"0s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: dead-address-hangs needs other addresses
      kind = "dead-address-hangs"
             ^^^^^^^^^^^^^^^^^^^^
    hint: write hosts = ["nobody", "primary"] in [client]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"promote-in-place\"\nat = \"0s\"\nfor = \"3s\"\n[server]\nstandby = true\n"), @r#"
    mine.toml:4:8: promote-in-place needs other addresses
      kind = "promote-in-place"
             ^^^^^^^^^^^^^^^^^^
    hint: write hosts = ["standby"] in [client]
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"dead-address-refuses\"\nat = \"2s\"\nfor = \"3s\"\n[client]\nhosts = [\"nobody\", \"primary\"]\n"), @r#"
    mine.toml:5:6: dead-address-refuses is there before the client, or not at all
      at = "2s"
           ^^^^
    hint: write at = "0s"
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"close\"\nat = \"2s\"\n[server]\nstandby = true\n[client]\nhosts = [\"primary\", \"standby\"]\n"), @r#"
    mine.toml:4:8: close would meet one of several addresses
      kind = "close"
             ^^^^^^^
    hint: faults of the path need a client with one address: remove `hosts`
    "#);
}

#[test]
fn dns_faults() {
    assert_snapshot!(body("[[fault]]\nkind = \"dns-timeout\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: dns-timeout needs a client that knows its server by a name
      kind = "dns-timeout"
             ^^^^^^^^^^^^^
    hint: add found_by = "name" to [client]
    "#);
    let name = "[client]\nfound_by = \"name\"\n";
    let two = "[[fault]]\nkind = \"dns-timeout\"\nat = \"2s\"\nfor = \"3s\"\n[[fault]]\nkind = \"dns-failure\"\nat = \"3s\"\nfor = \"3s\"\n";
    assert_snapshot!(body(&format!("{two}{name}")), @r#"
    mine.toml:9:6: dns-failure comes while the dns-timeout of line 5 is in force, until 5s
      at = "3s"
           ^^^^
    hint: write at = "5s" or later, or make the other shorter
    "#);
    let several = format!("{name}hosts = [\"nobody\", \"primary\"]\n");
    assert_snapshot!(body(&format!("[[fault]]\nkind = \"dns-stale\"\nat = \"2s\"\nfor = \"3s\"\n{several}")), @r#"
    mine.toml:4:8: dns-stale needs a name that leads to the primary alone
      kind = "dns-stale"
             ^^^^^^^^^^^
    hint: remove `hosts` from [client]
    "#);
    let standby = format!("[server]\nstandby = true\n{name}");
    assert_snapshot!(body(&format!("[[fault]]\nkind = \"lead-to-standby\"\nat = \"2s\"\nfor = \"3s\"\n{standby}")), @r#"
    mine.toml:4:8: lead-to-standby is about addresses, and the client has a name
      kind = "lead-to-standby"
             ^^^^^^^^^^^^^^^^^
    hint: remove `found_by` from [client]; a name can lead to a dead address, or to a promoted standby
    "#);
    assert_snapshot!(body(&format!("[[fault]]\nkind = \"dns-stale\"\nat = \"2s\"\n{name}")), @r#"
    mine.toml:4:8: the fault has no `for`
      kind = "dns-stale"
             ^^^^^^^^^^^
    hint: say how long it lasts until it is healed, like for = "5s"
    "#);
}

#[test]
fn share_and_after() {
    assert_snapshot!(body("[[fault]]\nkind = \"throttle-processor\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: the fault has no `share`
      kind = "throttle-processor"
             ^^^^^^^^^^^^^^^^^^^^
    hint: say how much of a processor is left, like share = 0.05
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"throttle-processor\"\nshare = 1.5\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:9: `share` is out of range
      share = 1.5
              ^^^
    hint: a share of one processor: 0.05 is a twentieth; 0.01 to 0.9
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"throttle-processor\"\nshare = \"half\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:9: wrong type: string "half", expected a number
      share = "half"
              ^^^^^^
    hint: write a number, without quotes
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"idle-session-timeout\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: the fault has no `after`
      kind = "idle-session-timeout"
             ^^^^^^^^^^^^^^^^^^^^^^
    hint: say how long the server waits, like after = "2s"
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"statement-timeout\"\nafter = \"0s\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:9: `after` is zero
      after = "0s"
              ^^^^
    hint: make it at least "1ms"
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"wrong-user\"\nafter = \"2s\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:9: wrong-user has no `after`
      after = "2s"
              ^^^^
    hint: remove `after`; keys of wrong-user: at, for
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"wrong-user\"\nshare = 0.5\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:5:9: wrong-user has no `share`
      share = 0.5
              ^^^
    hint: remove `share`; keys of wrong-user: at, for
    "#);
}
