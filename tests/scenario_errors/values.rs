//! Mistakes in values: types, texts, durations, limits, settings.

use insta::assert_snapshot;

use crate::{CLOSE, body, file, restart};

#[test]
fn types() {
    assert_snapshot!(file("schema = 1\ntitle = 7\n"), @r#"
    mine.toml:2:9: wrong type: integer `7`, expected a string
      title = 7
              ^
    hint: write it in "quotes"
    "#);
    assert_snapshot!(restart("\"3s\"", "3"), @r#"
    mine.toml:7:7: wrong type: integer `3`, expected a duration
      for = 3
            ^
    hint: a duration is text with a unit: write "3s" or "3ms"
    "#);
    assert_snapshot!(restart("\"3s\"", "true"), @r#"
    mine.toml:7:7: wrong type: boolean `true`, expected a duration
      for = true
            ^^^^
    hint: a duration is text with a unit, like "2s"
    "#);
    assert_snapshot!(restart("[[fault]]", "[fault]"), @r#"
    mine.toml:3:1: wrong type: a table, expected a list of tables
      [fault]
      ^^^^^^^
    hint: each fault begins with [[fault]], in double brackets
    "#);
    assert_snapshot!(body("budget = [\"60s\"]\n"), @r#"
    mine.toml:3:10: wrong type: an array, expected a table
      budget = ["60s"]
               ^^^^^^^
    hint: write its name in [brackets] on a line of its own, its keys below
    "#);
    assert_snapshot!(body("[load]\nworkers = \"4\"\n"), @r#"
    mine.toml:4:11: wrong type: string "4", expected a whole number
      workers = "4"
                ^^^
    hint: write a whole number, without quotes
    "#);
    assert_snapshot!(body("[budget]\nthroughput = \"90%\"\n"), @r#"
    mine.toml:4:14: wrong type: string "90%", expected a number
      throughput = "90%"
                   ^^^^^
    hint: write a number, without quotes
    "#);
    assert_snapshot!(body("[server]\nsettings = 1\n"), @r#"
    mine.toml:4:12: wrong type: integer `1`, expected a table
      settings = 1
                 ^
    hint: write its name in [brackets] on a line of its own, its keys below
    "#);
}

#[test]
fn text() {
    assert_snapshot!(file("schema = 1\ntitle = \" \"\n[[fault]]\n"), @r#"
    mine.toml:2:9: the title is empty
      title = " "
              ^^^
    hint: say it in a few words
    "#);
    assert_snapshot!(body("cause = \"two\\nlines\"\n"), @r#"
    mine.toml:3:9: the cause is not one line
      cause = "two\nlines"
              ^^^^^^^^^^^^
    hint: explain more in comments
    "#);
    assert_snapshot!(body("class = \"transitory\"\n"), @r#"
    mine.toml:3:9: unknown class "transitory"
      class = "transitory"
              ^^^^^^^^^^^^
    hint: there are: transient, persistent
    "#);
}

#[test]
fn durations() {
    assert_snapshot!(restart("3s", "3"), @r#"
    mine.toml:7:7: "3" has no unit
      for = "3"
            ^^^
    hint: write "3s" or "3ms"
    "#);
    assert_snapshot!(restart("3s", "3 parsecs"), @r#"
    mine.toml:7:7: "3 parsecs" is not a duration (unknown time unit "parsecs", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations))
      for = "3 parsecs"
            ^^^^^^^^^^^
    hint: write it like "500ms", "2s" or "1m 30s"
    "#);
    assert_snapshot!(restart("3s", "-3s"), @r#"
    mine.toml:7:7: "-3s" is negative
      for = "-3s"
            ^^^^^
    hint: times count forward from the steady state
    "#);
    assert_snapshot!(restart("3s", "25h"), @r#"
    mine.toml:7:7: "25h" is longer than a day
      for = "25h"
            ^^^^^
    hint: runs happen in real time: at most "24h"
    "#);
    assert_snapshot!(restart("3s", "99999999999999999999h"), @r#"
    mine.toml:7:7: "99999999999999999999h" is not a duration (number is too large or cannot be represented without a lack of precision (values below 1ns are not supported))
      for = "99999999999999999999h"
            ^^^^^^^^^^^^^^^^^^^^^^^
    hint: write it like "500ms", "2s" or "1m 30s"
    "#);
    assert_snapshot!(restart("3s", "0s"), @r#"
    mine.toml:7:7: `for` is zero
      for = "0s"
            ^^^^
    hint: make it at least "1ms"
    "#);
    assert_snapshot!(restart("3s", ""), @r#"
    mine.toml:7:7: "" is not a duration (value was empty)
      for = ""
            ^^
    hint: write it like "500ms", "2s" or "1m 30s"
    "#);
    assert_snapshot!(restart("3s", &"9".repeat(1000)), @r#"
    mine.toml:7:7: "999999999999999999999999999999999999999999999999999999999999…" is not a duration
      for = "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: write it like "500ms", "2s" or "1m 30s"
    "#);
}

#[test]
fn limits() {
    assert_snapshot!(body("[budget]\nfrom = \"injection\"\n"), @r#"
    mine.toml:4:8: unknown start of recovery "injection"
      from = "injection"
             ^^^^^^^^^^^
    hint: there are: inject, heal
    "#);
    assert_snapshot!(body("[budget]\nstability = \"10us\"\n"), @r#"
    mine.toml:4:13: `stability` is too short
      stability = "10us"
                  ^^^^^^
    hint: make it at least "1ms"
    "#);
    assert_snapshot!(body("[budget]\nattempts_per_worker = -1\n"), @r#"
    mine.toml:4:23: `attempts_per_worker` is out of range
      attempts_per_worker = -1
                            ^^
    hint: 0 to 4294967295
    "#);
    assert_snapshot!(body("[budget]\nthroughput = 90\n"), @r#"
    mine.toml:4:14: `throughput` is not between 0 and 1
      throughput = 90
                   ^^
    hint: a share of the steady rate: 0.9 is nine tenths of it
    "#);
    assert_snapshot!(body("[budget]\nthroughput = nan\n"), @r#"
    mine.toml:4:14: `throughput` is not between 0 and 1
      throughput = nan
                   ^^^
    hint: a share of the steady rate: 0.9 is nine tenths of it
    "#);
    assert_snapshot!(body("[load]\nworkers = 0\n"), @r#"
    mine.toml:4:11: `workers` is out of range
      workers = 0
                ^
    hint: 1 to 256 operations can be open at once
    "#);
    assert_snapshot!(body("[load]\nworkers = 257\n"), @r#"
    mine.toml:4:11: `workers` is out of range
      workers = 257
                ^^^
    hint: 1 to 256 operations can be open at once
    "#);
    assert_snapshot!(body("[load]\ncallers_per_connection = 17\n"), @r#"
    mine.toml:4:26: `callers_per_connection` is out of range
      callers_per_connection = 17
                               ^^
    hint: 1 to 16 callers for each operation that the client can carry
    "#);
    assert_snapshot!(body("[load]\nworkers = 8\ncallers_per_connection = 2\n"), @r#"
    mine.toml:4:11: `workers` has no say beside `callers_per_connection`
      workers = 8
                ^
    hint: remove it: how many there are follows from what the client says it can carry
    "#);
    assert_snapshot!(body("[load]\ninterval = \"0s\"\n"), @r#"
    mine.toml:4:12: `interval` is zero
      interval = "0s"
                 ^^^^
    hint: make it at least "1ms"
    "#);
}

#[test]
fn settings() {
    let setting = |line: &str| body(&format!("{CLOSE}[server.settings]\n{line}\n"));
    assert_snapshot!(setting("port = 5433"), @r#"
    mine.toml:7:1: `port` belongs to the harness
      port = 5433
      ^^^^
    hint: leave it out: pgsquall needs it to reach and read the server
    "#);
    assert_snapshot!(setting("\"max connections\" = 20"), @r#"
    mine.toml:7:1: "max connections" is not the name of a Postgres setting
      "max connections" = 20
      ^^^^^^^^^^^^^^^^^
    hint: letters, digits, `_` and `.`, like max_connections
    "#);
    assert_snapshot!(setting("work_mem = [4]"), @r#"
    mine.toml:7:12: `work_mem` cannot have this value
      work_mem = [4]
                 ^^^
    hint: one line of text, a number, true or false
    "#);
    assert_snapshot!(setting("auto_explain.log_analyze = true"), @r#"
    mine.toml:7:1: `auto_explain` cannot have this value
      auto_explain.log_analyze = true
      ^^^^^^^^^^^^
    hint: a name with a dot in it stands in "quotes"
    "#);
    assert_snapshot!(setting("log_statement = \"all\\nport = 1\""), @r#"
    mine.toml:7:17: `log_statement` cannot have this value
      log_statement = "all\nport = 1"
                      ^^^^^^^^^^^^^^^
    hint: one line of text, a number, true or false
    "#);
    assert_snapshot!(setting("TimeZone = \"UTC\"\ntimezone = \"UTC\""), @r#"
    mine.toml:8:1: `timezone` is set twice
      timezone = "UTC"
      ^^^^^^^^
    hint: Postgres compares the names of settings without case
    "#);
}
