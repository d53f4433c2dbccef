//! Names and paths of files, unusual files that are valid, and that no text makes the parser panic.

use insta::assert_snapshot;
use pgsquall::scenario::{Scenario, catalogue};
use proptest::prelude::*;

use crate::CLOSE;

#[test]
fn names_and_files() {
    let built_in = |name| Scenario::built_in(name).unwrap_err().to_string();
    assert_snapshot!(built_in("conection-reset"), @r#"
    conection-reset: there is no scenario of this name
    hint: did you mean connection-reset? `pgsquall list` shows all names
    "#);
    assert_snapshot!(built_in("connection"), @r#"
    connection: there is no scenario of this name
    hint: did you mean connection-closed or connection-reset or connection-reset-mid-query or connection-reset-in-transaction or connection-flapping or connection-reset-at-request or connection-reset-with-waiters or connections-exhausted or role-connection-limit? `pgsquall list` shows all names
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
fn unusual_scenarios_are_valid() {
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
    // Three callers for each connection that the client declares, at most 256 in all.
    let crowd = sound(&format!("schema = 1\ntitle = \"t\"\n[load]\ncallers_per_connection = 3\n{CLOSE}")).load;
    assert_eq!([4, 10, 100].map(|concurrency| crowd.workers_of(concurrency)), [12, 30, 256]);
    assert_eq!([3, 10].map(|concurrency| scenario.load.workers_of(concurrency)), [3, 10]);
    // A network fault during a server fault is allowed.
    sound(&format!("schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"kill\"\nat = \"1s\"\nfor = \"9s\"\n{CLOSE}"));
    // Rules of the gateway are independent of each other: two toxics and a reset may begin at the same time.
    sound(
        "schema = 1\ntitle = \"t\"\n[load]\npause = { at = \"2s\", for = \"9s\" }\n\
         [[fault]]\nkind = \"latency\"\ndelay = \"1s\"\nat = \"2s\"\nfor = \"9s\"\n\
         [[fault]]\nkind = \"latency\"\ndelay = \"2s\"\nstream = \"upstream\"\nat = \"2s\"\nfor = \"9s\"\n\
         [[fault]]\nkind = \"reset\"\nat = \"2s\"\n",
    );
    // A wrong password may begin while the client works.
    sound(
        "schema = 1\ntitle = \"t\"\nclass = \"persistent\"\n[[fault]]\nkind = \"wrong-password\"\nat = \"2s\"\nfor = \"9s\"\n",
    );
}

/// Parses a text, and displays its error: neither may panic, and an error has a message, a hint and a line of the file.
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
    fn any_text_does_not_panic(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn scenario_like_text_does_not_panic(
        lines in prop::collection::vec(
            "(schema|title|at|for|kind|mode|class|workers|callers_per_connection|interval|from|fault|budget|pause|every|point|action|delay|toxicity)( = |\\.| = \\{|\t=)(1|-?[0-9]{1,30}|\"[^\"\n]{0,12}\"|[0-9.]{1,9}|true|nan|\\[\\]|\"(close|restart|latency|cut-point|startup|fast|2s|0s)\")|\\[\\[fault\\]\\]|\\[(budget|load|server|server\\.settings)\\]",
            0..12,
        ),
    ) {
        survives(&format!("schema = 1\n{}", lines.join("\n")));
    }

    #[test]
    fn damaged_scenario_does_not_panic(
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
