//! The page as a whole: forbidden content, size and a snapshot.

pub(super) mod sample;

use super::page;
use crate::judge::{Recovery, VerdictKind};
use crate::report::model::{Ending, ScenarioInfo};
use crate::report::shard::Shards;
use crate::scenario::catalogue;

const RECOVERED: Recovery = Recovery::Recovered { after: std::time::Duration::from_millis(1_300) };
const CENSORED: Recovery = Recovery::Censored { beyond: std::time::Duration::from_secs(60) };

/// Hostile texts: none may reach the page as a tag, an attribute or a style.
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "']]> --> </style></title></svg><img src=x onerror=alert(1)>",
    "\u{202e}gnp.exe\u{0}\u{1b}[2J\u{2066}",
    "{{ self }} {% include \"x\" %}",
    "&lt;b&gt;&#x3c;",
];

#[test]
fn a_small_page() {
    let mut runs = vec![
        sample::entry(sample::verdict("restart-fast", "reference", VerdictKind::Pass, RECOVERED), 0, 1),
        sample::entry(sample::verdict("restart-fast", "hangs", VerdictKind::Fail, CENSORED), 0, 1),
    ];
    let skipped = Ending::Skipped { reason: "PgBouncer is not installed".into() };
    let other = sample::entry(sample::verdict("pgbouncer-idle", "reference", VerdictKind::Pass, RECOVERED), 0, 1);
    runs.push(crate::report::model::Entry { ending: skipped, folder: None, took: None, ..other });
    let scenarios = vec![sample::scenario("restart-fast", "restart"), sample::scenario("pgbouncer-idle", "idle")];
    let mut report = sample::report(scenarios, runs);
    report.shards = Some(Shards { here: vec![1], of: 2 });
    let page = page(&report, |entry| (entry.client == "hangs").then(sample::timeline));
    // The style sheet is left out of the snapshot.
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    insta::assert_snapshot!(format!("{head}{body}").replace("><", ">\n<"));
}

#[test]
fn hostile_texts_are_escaped() {
    for hostile in HOSTILE {
        let mut verdict = sample::verdict(hostile, hostile, VerdictKind::Fail, CENSORED);
        verdict.doubts = vec![hostile.into()];
        verdict.server = Some(hostile.into());
        verdict.measures.errors = [(hostile.to_owned(), 3)].into();
        verdict.evidence[0].fault = hostile.into();
        let text = hostile.to_owned();
        let scenario = ScenarioInfo {
            name: text.clone(),
            title: text.clone(),
            group: text.clone(),
            cause: text.clone(),
            why: format!("{text}\n\n{text}"),
        };
        let mut report = sample::report(vec![scenario], vec![sample::entry(verdict, 0, 1)]);
        (report.pgsquall, report.began) = (text.clone(), text.clone());
        let timeline = || {
            let mut timeline = sample::timeline();
            timeline.faults[0].what = hostile.into();
            timeline.connections[0].errors[0].1 = hostile.into();
            timeline.ops[20].error = Some(hostile.into());
            timeline
        };
        let page = page(&report, |_| Some(timeline()));
        assert!(!page.contains(hostile), "{hostile:?} is on the page as it is");
        for (number, _) in page.match_indices('<') {
            let tag: String = page[number..].chars().take(9).collect();
            assert!(!["<script", "<img", "<b&"].iter().any(|bad| tag.starts_with(bad)), "{hostile:?}: {tag}");
        }
        assert_eq!(page.matches("</style>").count(), 1, "{hostile:?}");
        assert!(!page.contains(['\0', '\u{1b}', '\u{202e}', '\u{2066}']), "{hostile:?}");
    }
}

#[test]
fn page_is_self_contained_without_scripts() {
    let report = sample::repeated(&[(VerdictKind::Pass, RECOVERED), (VerdictKind::Fail, CENSORED)]);
    let page = page(&report, |_| Some(sample::timeline()));
    for outside in ["<script", "<link", "<img", "<iframe", "@import", "@font-face", "http:", "https:", "src=", " on"] {
        let found = page.match_indices(outside).find(|(at, _)| outside != " on" || page[*at..].starts_with(" onload="));
        assert!(found.is_none(), "the page holds {outside}");
    }
    assert!(page.matches("url(").count() == page.matches("url(#").count());
}

#[test]
fn links_resolve_and_anchors_are_unique() {
    let verdict = |scenario: &str, client: &str| {
        sample::entry(sample::verdict(scenario, client, VerdictKind::Fail, CENSORED), 0, 1)
    };
    // Names equal to the page's own anchors, and names that differ only in characters that an anchor drops.
    let names = ["matrix", "legend", "results", "a b", "a-b", "what changed"];
    let runs = ["c", "C!"].iter().flat_map(|client| names.iter().map(|name| verdict(name, client)));
    let report = sample::report(names.iter().map(|name| sample::scenario(name, "file")).collect(), runs.collect());
    let page = page(&report, |_| Some(sample::timeline()));
    let all = |before: &str| -> Vec<String> {
        page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    };
    let mut ids = all(" id=\"");
    for link in all("href=\"#")
        .into_iter()
        .chain(all("labelledby=\"").iter().flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>()))
    {
        assert!(ids.contains(&link), "#{link} leads nowhere");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "some place has the name of another one");
}

#[test]
fn page_of_whole_catalogue_is_below_two_megabytes() {
    let scenarios = catalogue();
    let runs = scenarios
        .iter()
        .map(|scenario| sample::entry(sample::verdict(&scenario.name, "reference", VerdictKind::Fail, CENSORED), 0, 1));
    let report = sample::report(scenarios.iter().map(ScenarioInfo::from).collect(), runs.collect());
    let busy = sample::busy(3_000);
    let page = page(&report, |_| Some(busy.clone()));
    println!("{} scenarios: {} bytes", scenarios.len(), page.len());
    assert!(scenarios.len() >= 100 && page.len() < 2_000_000, "{} scenarios: {} bytes", scenarios.len(), page.len());
}
