//! Reports: every format has the same figures; merged shards give the report that one run would have given.

use std::collections::BTreeSet;

use pgsquall::report::Report;
use pgsquall::report::model::Ending;
use pgsquall::report::text;

use super::common::{RESET, SHORT_BLACKHOLE, Workspace};

/// Writes two scenarios: `short.toml`, and `packets.toml`, which the proxy plane skips.
fn two(workspace: &Workspace) {
    workspace.write("short.toml", RESET);
    workspace.write("packets.toml", SHORT_BLACKHOLE);
}

#[test]
fn every_format_has_the_same_figures() {
    let workspace = Workspace::new();
    two(&workspace);
    let words = ["run", "short.toml", "packets.toml", "--client", "reference", "--client", "never-reconnects"];
    let more = ["--budget", "1s", "--network", "proxy", "--out", "out", "--report", "junit=here.xml", "--verbose"];
    let output = workspace.run(&[words.as_slice(), &more].concat());
    assert_eq!(output.code, Some(1), "{output}");

    let report = Report::read(&workspace.path().join("out")).unwrap();
    let page = |name: &'static str, text: &str| (name, plain(text));
    let formats = [
        page("html", &without_tags(&workspace.read("out/report.html"))),
        page("markdown", &workspace.read("out/report.md")),
        page("junit", &workspace.read("here.xml")),
        page("terminal", &output.stdout),
    ];
    let mut judged = 0;
    for entry in &report.runs {
        let figures: BTreeSet<String> = match &entry.ending {
            Ending::Judged { verdict } => {
                judged += 1;
                let measures = &verdict.measures;
                let findings = verdict.failures().flat_map(|(_, found)| found.iter().map(|found| found.what.clone()));
                let figures = [
                    verdict.verdict.to_string(),
                    text::recovery(&measures.time_to_recover),
                    text::first_success(verdict),
                    text::operations(verdict),
                    text::errors(verdict),
                ];
                figures.into_iter().chain(findings).collect()
            }
            Ending::Skipped { reason } => [reason.clone()].into(),
            other => panic!("{}: {other:?}", entry.name()),
        };
        let command = entry.verdict().map(|verdict| plain(&text::repeat_command(verdict)));
        for (format, text) in &formats {
            // The Markdown summary has no command for runs that passed.
            let repeats = command.as_ref().is_none_or(|command| text.contains(command));
            assert!(repeats || *format == "markdown", "{format} lacks {command:?}");
            for figure in &figures {
                assert!(text.contains(&plain(figure)), "{format} lacks {figure:?} of {}: {text}", entry.name());
            }
        }
    }
    assert_eq!(judged, 2, "{report:?}");
    for (format, text) in &formats {
        let counts = match *format {
            "html" => "1 fail, 1 pass, 2 skipped".to_owned(),
            "junit" => "tests=\"4\" skipped=\"2\" failures=\"1\" errors=\"0\"".to_owned(),
            _ => report.counts(),
        };
        assert!(text.contains(&counts), "{format} lacks {counts:?}");
    }
}

/// Returns the text between the tags.
fn without_tags(page: &str) -> String {
    page.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect::<Vec<_>>().join(" ")
}

/// Removes what a format adds: escapes, and differences of white space.
fn plain(text: &str) -> String {
    let mut plain = text.replace('\\', "");
    for (escape, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&#34;", "\""),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(escape, character);
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn shards_are_merged() {
    let workspace = Workspace::new();
    two(&workspace);
    let whole = ["run", "short.toml", "packets.toml", "--network", "proxy", "--repeat", "2", "--seed", "3", "--out"];
    for (shard, out) in [("1/2", "one"), ("2/2", "two")] {
        let output = workspace.run(&[whole.as_slice(), &[out, "--shard", shard]].concat());
        assert_eq!(output.code, Some(0), "{output}");
        let report = workspace.report(out);
        let here = shard.split_once('/').unwrap().0.parse::<u32>().unwrap();
        assert_eq!(report.at("/shards"), &serde_json::json!({"here": [here], "of": 2}), "{output}");
        assert_eq!(report.endings().len(), 2, "{output}");
        assert!(output.stderr.contains(&format!("shard {shard}")), "{output}");
    }
    let output = workspace.run(&["report", "merge", "two", "one", "--out", "all", "--report", "json=again.json"]);
    assert_eq!(output.code, Some(0), "{output}");
    let endings = ["short pass", "short pass", "packets skipped", "packets skipped"];
    assert_eq!(workspace.report("all").endings(), endings, "{output}");
    assert_eq!(workspace.read("all/report.json"), workspace.read("again.json"));
    let merged = Report::read(&workspace.path().join("all")).unwrap();
    let order: Vec<_> = merged.runs.iter().map(|entry| (entry.index, entry.name())).collect();
    assert_eq!(
        order,
        [(0, "short 1/2"), (1, "short 2/2"), (2, "packets 1/2"), (3, "packets 2/2")]
            .map(|(index, name)| (index, name.to_owned()))
    );
    assert_eq!(merged.shards, None);
    // The histories were copied too, so that they can be judged again.
    let output = workspace.run(&["judge", "all/short/0", "all/short/1"]);
    assert_eq!(output.code, Some(0), "{output}");
    // Merging the complete report into its own folder changes nothing.
    let before = workspace.read("all/report.html");
    let output = workspace.run(&["report", "merge", "all"]);
    assert_eq!((output.code, workspace.read("all/report.html") == before), (Some(0), true), "{output}");

    // With a shard missing, the result is unknown.
    let output = workspace.run(&["report", "merge", "two"]);
    assert_eq!(output.code, Some(2), "{output}");
    assert_eq!(workspace.report("two").at("/shards"), &serde_json::json!({"here": [2], "of": 2}), "{output}");
    assert!(output.stderr.contains("2 of 2") && output.stderr.contains('1'), "the first is missing: {output}");
    for (words, expected) in [
        (["one", "one"].as_slice(), "shard 1"),
        (&["one", "two"], "--out DIR"),
        (&["nowhere"], "nowhere"),
        (&["one/short/0/verdict.json"], "one/short/0/verdict.json"),
        (&["short.toml"], "short.toml"),
    ] {
        let output = workspace.run(&[["report", "merge"].as_slice(), words].concat());
        assert_eq!(output.code, Some(64), "{output}");
        assert!(output.stderr.contains(expected), "{expected}: {output}");
    }
}

#[test]
fn skipped_runs_are_in_requested_reports() {
    let workspace = Workspace::new();
    let nowhere = ["run", "connection-reset", "--server", "local:/nowhere", "--out", "out"];
    let output = workspace.run(&[nowhere.as_slice(), &["--report", "junit=here.xml"]].concat());
    assert_eq!((output.code, workspace.holds("out")), (Some(69), false), "{output}");
    let packets = ["run", "blackhole", "--network", "proxy", "--seed", "1", "--out", "out"];
    let output = workspace.run(&[packets.as_slice(), &["--report", "junit=here.xml"]].concat());
    assert_eq!((output.code, workspace.holds("out")), (Some(69), false), "{output}");
    let junit = workspace.read("here.xml");
    let skipped = junit.split_once("<skipped message=\"").and_then(|(_, rest)| rest.split_once('"'));
    assert!(skipped.is_some_and(|(reason, _)| reason.contains("blackhole")), "{output}: {junit}");
    // The folder of a shard is kept, even if no run was judged.
    let output = workspace.run(&[packets.as_slice(), &["--shard", "1/1"]].concat());
    assert_eq!(output.code, Some(69), "{output}");
    assert_eq!(Report::read(&workspace.path().join("out")).unwrap().runs.len(), 1);
}

#[test]
fn invalid_shards_and_formats_are_refused() {
    let workspace = Workspace::new();
    for (words, expected) in [
        (["run", "--shard", "1/2"].as_slice(), "--seed <SEED>"),
        (&["run", "--shard", "3/2", "--seed", "1"], "1/8, 2/8"),
        (&["run", "stall", "--shard", "2/2", "--seed", "1"], "2/2"),
        (&["run", "--report", "pdf=x"], "html, junit, json, markdown"),
    ] {
        let output = workspace.run(words);
        assert_eq!(output.code, Some(64), "{output}");
        assert!(output.stderr.contains(expected), "{expected}: {output}");
        assert!(!workspace.holds("pgsquall-runs"), "nothing came of it: {output}");
    }
}

#[test]
fn schema_matches_committed_file() {
    let output = Workspace::new().run(&["report", "schema"]);
    let committed = include_str!("../../harness/report/report.schema.json");
    let remedy = "pgsquall report schema > harness/report/report.schema.json; where readers cannot tell, FORMAT rises";
    assert_eq!(output.stdout, committed, "{remedy}");
}
