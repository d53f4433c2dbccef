//! Reads stored results for assertions: `report.json` and verdicts, by the names of their JSON members.
//!
//! Does not use the library's types, because external readers see the JSON.

use std::fmt;

use serde_json::Value;

/// A `report.json`.
pub struct Report(Value);

/// A verdict: from a report, a `verdict.json`, or the output of `judge --json`.
pub struct Verdict(Value);

impl Report {
    #[track_caller]
    pub fn parse(text: &str) -> Report {
        Report(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in:\n{text}")))
    }

    fn runs(&self) -> &[Value] {
        self.0["runs"].as_array().unwrap()
    }

    /// Returns scenario and ending of each run, in order: `short pass`, `stall skipped`.
    pub fn endings(&self) -> Vec<String> {
        let ending = |run: &Value| {
            let state = &run["ending"]["state"];
            let kind = run["ending"].pointer("/verdict/verdict").unwrap_or(state);
            format!("{} {}", run["scenario"].as_str().unwrap(), kind.as_str().unwrap())
        };
        self.runs().iter().map(ending).collect()
    }

    /// Returns client and scenario of each run whose verdict `--resume` kept.
    pub fn kept(&self) -> Vec<String> {
        let is_kept = |run: &&Value| run["ending"]["state"] == "judged" && run["took_us"].is_null();
        let name = |run: &Value| format!("{} {}", run["client"].as_str().unwrap(), run["scenario"].as_str().unwrap());
        self.runs().iter().filter(is_kept).map(name).collect()
    }

    /// Any member, by its JSON pointer; null if it is missing.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Returns the ending of the only run of a scenario.
    #[track_caller]
    fn ending(&self, scenario: &str) -> &Value {
        let runs: Vec<_> = self.runs().iter().filter(|run| run["scenario"] == scenario).collect();
        assert_eq!(runs.len(), 1, "runs of {scenario} in {self}");
        &runs[0]["ending"]
    }

    /// Returns the verdict of the only run of a scenario.
    #[track_caller]
    pub fn verdict(&self, scenario: &str) -> Verdict {
        let ending = self.ending(scenario);
        assert_eq!(ending["state"], "judged", "{scenario} in {self}");
        Verdict(ending["verdict"].clone())
    }

    /// Returns why a scenario was skipped.
    #[track_caller]
    pub fn skipped(&self, scenario: &str) -> &str {
        let ending = self.ending(scenario);
        assert_eq!(ending["state"], "skipped", "{scenario} in {self}");
        ending["reason"].as_str().unwrap()
    }

    /// Whether every run was skipped because the kernel plane is missing; prints the report if so.
    pub fn lacks_kernel_plane(&self) -> bool {
        let is_so = |run: &Value| run["ending"]["reason"].as_str().is_some_and(|reason| reason.contains("kernel"));
        let lacks = self.runs().iter().all(is_so);
        if lacks {
            println!("skipped: {self}");
        }
        lacks
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl Verdict {
    #[track_caller]
    pub fn parse(text: &str) -> Verdict {
        Verdict(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in:\n{text}")))
    }

    /// `pass`, `fail` or `unknown`.
    pub fn kind(&self) -> &str {
        self.0["verdict"].as_str().unwrap()
    }

    /// Returns the result of a check: `pass`, `fail`, `not-applicable` or `unknown`.
    #[track_caller]
    pub fn check(&self, name: &str) -> &str {
        self.0["checks"][name]["result"].as_str().unwrap_or_else(|| panic!("no check {name} in {self}"))
    }

    /// Returns the names of the checks that fail.
    pub fn failed(&self) -> Vec<&str> {
        let checks = self.0["checks"].as_object().unwrap().iter();
        checks.filter(|(_, check)| check["result"] == "fail").map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the findings of a failed check, one in each line.
    #[track_caller]
    pub fn findings(&self, check: &str) -> String {
        assert_eq!(self.check(check), "fail", "{check} in {self}");
        let findings = self.0["checks"][check]["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["what"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Returns the doubts about the run, one in each line.
    pub fn doubts(&self) -> String {
        let doubts = self.0["doubts"].as_array().unwrap().iter();
        doubts.map(|doubt| doubt.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Returns the sum of the counts of decisive evidence that the faults affected the client.
    pub fn evidence(&self) -> u64 {
        let found = self.0["evidence"].as_array().unwrap().iter().flat_map(|fault| fault["found"].as_array().unwrap());
        found.filter(|found| found["decisive"] == true).map(|found| found["count"].as_u64().unwrap()).sum()
    }

    /// Any member, by its JSON pointer; null if it is missing.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}
