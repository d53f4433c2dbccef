//! Every mistake in a scenario file, and the one error that it gets: these texts are an interface, read by people at a
//! terminal.

use insta::assert_snapshot;
use pgsquall::scenario::{Scenario, catalogue};
use proptest::prelude::*;

/// The error for a whole file.
fn file(text: &str) -> String {
    Scenario::parse("mine", "file", "mine.toml", text).expect_err("a mistake went unnoticed").to_string()
}

/// The error for a file whose head is sound.
fn body(text: &str) -> String {
    file(&format!("schema = 1\ntitle = \"t\"\n{text}"))
}

/// The error for a sound file with a restart, its lines replaced where `text` says so.
fn restart(from: &str, to: &str) -> String {
    let sound = "[[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"2s\"\nfor = \"3s\"\n";
    assert!(sound.contains(from));
    body(&sound.replace(from, to))
}

const CLOSE: &str = "[[fault]]\nkind = \"close\"\nat = \"2s\"\n";

#[test]
fn the_file_as_a_whole() {
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
    hint: the file is TOML: `key = value` lines, text in "quotes"; see https://toml.io
    "#);
    assert_snapshot!(file("schema = 1\ntitle = \"a\"\ntitle = \"b\"\n"), @r#"
    mine.toml:3:1: duplicate key
      title = "b"
      ^^^^^
    hint: a key may stand only once in its table
    "#);
}

#[test]
fn the_version() {
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
    hint: did you mean `class`? keys here: schema, title, cause, class, budget, load, server, fault
    "#);
    assert_snapshot!(body("[budget]\ntime-to-recover = \"60s\"\n"), @r#"
    mine.toml:4:1: unknown key "time-to-recover"
      time-to-recover = "60s"
      ^^^^^^^^^^^^^^^
    hint: did you mean `time_to_recover`? keys here: time_to_recover, from, op_deadline, stability, fail_fast, stall_threshold, attempts_per_worker, throughput
    "#);
    assert_snapshot!(body("[budget]\nanswer = 42\n"), @r#"
    mine.toml:4:1: unknown key "answer"
      answer = 42
      ^^^^^^
    hint: keys here: time_to_recover, from, op_deadline, stability, fail_fast, stall_threshold, attempts_per_worker, throughput
    "#);
    assert_snapshot!(body("[server]\nimage = \"postgres:18\"\n"), @r#"
    mine.toml:4:1: unknown key "image"
      image = "postgres:18"
      ^^^^^
    hint: keys here: settings
    "#);
    assert_snapshot!(restart("for", "duration"), @r#"
    mine.toml:7:1: unknown key "duration"
      duration = "3s"
      ^^^^^^^^
    hint: keys here: kind, mode, at, for
    "#);
    assert_snapshot!(file("schema = 1\n\n# no title\n[[fault]]\n"), @r#"
    mine.toml:1:1: the key `title` is missing
      schema = 1
      ^^^^^^^^^^
    hint: add title = "…": reports call the scenario by it
    "#);
}

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

#[test]
fn a_fault_by_itself() {
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
    hint: say what is injected, one of: close, reset, stall, restart, kill, freeze, terminate-sessions, exhaust-connections, wrong-password, long-recovery
    "#);
    assert_snapshot!(restart("\"restart\"", "\"restrat\""), @r#"
    mine.toml:4:8: unknown kind of fault "restrat"
      kind = "restrat"
             ^^^^^^^^^
    hint: did you mean "restart"? there are: restart, reset, stall, freeze, close, kill, long-recovery, wrong-password, terminate-sessions, exhaust-connections
    "#);
    assert_snapshot!(restart("\"restart\"", "\"earthquake\""), @r#"
    mine.toml:4:8: unknown kind of fault "earthquake"
      kind = "earthquake"
             ^^^^^^^^^^^^
    hint: there are: stall, restart, freeze, close, reset, kill, long-recovery, wrong-password, exhaust-connections, terminate-sessions
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
    hint: say how the server is told to stop: smart, fast or immediate
    "#);
    assert_snapshot!(restart("\"restart\"", "\"kill\""), @r#"
    mine.toml:5:8: kill has no mode
      mode = "fast"
             ^^^^^^
    hint: remove `mode`: only a restart has one
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
    hint: remove `for`
    "#);
}

#[test]
fn faults_in_time() {
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

#[test]
fn names_and_files() {
    let built_in = |name| Scenario::built_in(name).unwrap_err().to_string();
    assert_snapshot!(built_in("conection-reset"), @r#"
    conection-reset: there is no scenario of this name
    hint: did you mean connection-reset? `pgsquall list` shows all names
    "#);
    assert_snapshot!(built_in("connection"), @r#"
    connection: there is no scenario of this name
    hint: did you mean connection-closed or connection-reset or connections-exhausted? `pgsquall list` shows all names
    "#);
    assert_snapshot!(built_in("earthquake"), @r#"
    earthquake: there is no scenario of this name
    hint: `pgsquall list` shows all names; a file of your own ends in .toml
    "#);

    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Scenario::read(&path)
    };
    let shown =
        |error: pgsquall::scenario::ScenarioError| error.to_string().replace(folder.path().to_str().unwrap(), "folder");
    assert_snapshot!(shown(Scenario::read(&folder.path().join("absent.toml")).unwrap_err()), @r#"
    folder/absent.toml: cannot be read: No such file or directory (os error 2)
    hint: give the path of a .toml file, or a name that `pgsquall list` shows
    "#);
    assert_snapshot!(shown(Scenario::read(folder.path()).unwrap_err()), @r#"
    folder: cannot be read: Is a directory (os error 21)
    hint: give the path of a .toml file, or a name that `pgsquall list` shows
    "#);
    assert_snapshot!(shown(read("latin1.toml", b"schema = 1\ntitle = \"caf\xe9\"\n").unwrap_err()), @r#"
    folder/latin1.toml:2:13: the file is not UTF-8 from here on
      title = "caf
                  ^
    hint: store it as UTF-8, without compression
    "#);
    assert_snapshot!(shown(read("huge.toml", &vec![b'#'; 2 << 20]).unwrap_err()), @r#"
    folder/huge.toml: the file is longer than 1 MiB
    hint: this is not a scenario: one file asks one question
    "#);
    let mine = read("mine.toml", format!("# Why?\n#\n# So.\nschema = 1\ntitle = \"t\"\n{CLOSE}").as_bytes()).unwrap();
    assert_eq!((mine.name.as_str(), mine.group.as_str(), mine.why.as_str()), ("mine", "file", "Why?\n\nSo."));
}

#[test]
fn what_is_allowed() {
    let sound =
        |text: &str| Scenario::parse("mine", "file", "mine.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let scenario = sound(&format!(
        "\u{feff}schema = 1\r\ntitle = \"t\"\r\n[server.settings]\r\nTimeZone = \"UTC\"\r\nfsync = true\r\nseq_page_cost = 1.5\r\n\
         [budget]\nthroughput = 1\nfrom = \"heal\"\n[load]\nworkers = 256\n\
         [[fault]]\nkind = \"kill\"\nat = \"5s\"\nfor = \"1s\"\n{CLOSE}[[fault]]\nkind = \"kill\"\nat = \"3s\"\nfor = \"2s\"\n"
    ));
    let onsets: Vec<_> = scenario.faults.iter().map(|fault| fault.at.as_secs()).collect();
    assert_eq!(onsets, [2, 3, 5], "sorted, and one server fault may follow on another");
    let settings: Vec<_> = scenario.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(settings, ["fsync=on", "seq_page_cost=1.5", "timezone=UTC"]);
    assert_eq!((scenario.budget.throughput, scenario.load.workers), (1.0, 256));
    // A network fault during a server fault is a harder question, not an impossible one.
    sound(&format!("schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"kill\"\nat = \"1s\"\nfor = \"9s\"\n{CLOSE}"));
    // A password that is changed while the client works.
    sound(
        "schema = 1\ntitle = \"t\"\nclass = \"persistent\"\n[[fault]]\nkind = \"wrong-password\"\nat = \"2s\"\nfor = \"9s\"\n",
    );
}

/// Shows whatever comes of a text: neither reading nor displaying may panic, and an error is always complete.
fn survives(text: &str) {
    if let Err(error) = Scenario::parse("mine", "file", "mine.toml", text) {
        let lines = error.to_string().lines().count();
        assert_eq!(lines, if error.line == 0 { 2 } else { 4 }, "{error}");
        assert!(!error.message.is_empty() && !error.hint.is_empty() && error.line <= text.lines().count() + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn anything_that_looks_like_a_scenario_is_survived(
        lines in prop::collection::vec(
            "(schema|title|at|for|kind|mode|class|workers|interval|from|fault|budget)( = |\\.| = \\{|\t=)(1|-?[0-9]{1,30}|\"[^\"\n]{0,12}\"|[0-9.]{1,9}|true|nan|\\[\\]|\"(close|restart|fast|2s|0s)\")|\\[\\[fault\\]\\]|\\[(budget|load|server|server\\.settings)\\]",
            0..12,
        ),
    ) {
        survives(&format!("schema = 1\n{}", lines.join("\n")));
    }

    #[test]
    fn a_damaged_scenario_is_survived(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        removed in 0usize..12,
        inserted in "\\PC{0,3}|[\\[\\]\"'=.#\n\r\t{}0-9-]{0,4}",
    ) {
        let scenarios = catalogue();
        let mut letters: Vec<char> = which.get(&scenarios).source.chars().collect();
        let start = at.index(letters.len());
        let end = (start + removed).min(letters.len());
        letters.splice(start..end, inserted.chars());
        survives(&letters.into_iter().collect::<String>());
    }
}
