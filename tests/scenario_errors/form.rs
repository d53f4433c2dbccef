//! Mistakes in the form of a file: its syntax, its version and its keys.

use insta::assert_snapshot;

use crate::{body, file, restart};

#[test]
fn syntax() {
    assert_snapshot!(file(""), @r#"
    mine.toml: the file is empty
    hint: `pgsquall list` shows scenarios to copy from
    "#);
    assert_snapshot!(file("\u{feff} \n\n"), @r#"
    mine.toml: the file is empty
    hint: `pgsquall list` shows scenarios to copy from
    "#);
    assert_snapshot!(file("# only a comment\n"), @r#"
    mine.toml: the file is empty
    hint: `pgsquall list` shows scenarios to copy from
    "#);
    assert_snapshot!(file(&"#".repeat((1 << 20) + 1)), @r#"
    mine.toml: the file is longer than 1 MiB
    hint: this is not a scenario: one file asks one question
    "#);
    assert_snapshot!(file("schema = 1\ntitle = \"no end\n"), @r#"
    mine.toml:2:16: invalid basic string, expected `"`
      title = "no end
                     ^
    hint: the file is TOML: `key = value` lines, each key once in its table, text in "quotes"; see https://toml.io
    "#);
    assert_snapshot!(file("schema = 1\ntitle = \"a\"\ntitle = \"b\"\n"), @r#"
    mine.toml:3:1: duplicate key
      title = "b"
      ^^^^^
    hint: the file is TOML: `key = value` lines, each key once in its table, text in "quotes"; see https://toml.io
    "#);
}

#[test]
fn schema_version() {
    assert_snapshot!(file("# why\n\ntitle = \"t\"\n"), @r#"
    mine.toml:3:1: the key `schema` is missing
      title = "t"
      ^^^^^^^^^^^
    hint: begin with "schema = 1", the version of the format
    "#);
    assert_snapshot!(file("schema = 2\nnews = true\n"), @r#"
    mine.toml:1:10: written in schema 2; pgsquall 0.1.0 reads schema 1
      schema = 2
               ^
    hint: run it with a newer pgsquall
    "#);
    assert_snapshot!(file("schema = 0\n"), @r#"
    mine.toml:1:10: there is no schema 0
      schema = 0
               ^
    hint: write "schema = 1"
    "#);
    assert_snapshot!(file("schema = \"1\"\n"), @r#"
    mine.toml:1:10: `schema` is not a whole number
      schema = "1"
               ^^^
    hint: write "schema = 1", without quotes around the number
    "#);
}

#[test]
fn keys() {
    assert_snapshot!(body("clas = \"transient\"\n"), @r#"
    mine.toml:3:1: unknown key "clas"
      clas = "transient"
      ^^^^
    hint: did you mean `class`? keys here: schema, title, order, cause, class, budget, load, server, client, path, fault
    "#);
    assert_snapshot!(body("[budget]\ntime-to-recover = \"60s\"\n"), @r#"
    mine.toml:4:1: unknown key "time-to-recover"
      time-to-recover = "60s"
      ^^^^^^^^^^^^^^^
    hint: did you mean `time_to_recover`? keys here: time_to_recover, from, op_deadline, stability, fail_fast, stall_threshold, attempts_per_worker, throughput, undisturbed
    "#);
    assert_snapshot!(body("[budget]\nanswer = 42\n"), @r#"
    mine.toml:4:1: unknown key "answer"
      answer = 42
      ^^^^^^
    hint: keys here: time_to_recover, from, op_deadline, stability, fail_fast, stall_threshold, attempts_per_worker, throughput, undisturbed
    "#);
    assert_snapshot!(body("[server]\nimage = \"postgres:18\"\n"), @r#"
    mine.toml:4:1: unknown key "image"
      image = "postgres:18"
      ^^^^^
    hint: keys here: settings, standby, tls, small_disk, keepalive
    "#);
    assert_snapshot!(restart("for", "duration"), @r#"
    mine.toml:7:1: unknown key "duration"
      duration = "3s"
      ^^^^^^^^
    hint: keys here: kind, at, for, mode
    "#);
    assert_snapshot!(file("schema = 1\n\n# no title\n[[fault]]\n"), @r#"
    mine.toml:1:1: the key `title` is missing
      schema = 1
      ^^^^^^^^^^
    hint: add title = "…": reports call the scenario by it
    "#);
}
