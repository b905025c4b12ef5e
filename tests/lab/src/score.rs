//! How good the diagnoses are: many worlds, one grade each, and which control was reported where which was to blame.

mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::run::Run;
use crate::scenario::{Expect, Scenario, patience};
use crate::waits;

pub use table::printed;

/// What stands in the matrix where no control does.
const NONE: &str = "none";
const UNEXPLAINED: &str = "unexplained";

/// What one run was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As the story says, and one control for each fault.
    Exact,
    /// As the story says, where the evidence leaves several controls open: exactly those.
    Narrowed,
    Wrong,
    /// Something was reported of a healthy world.
    FalseAlarm,
    /// Nothing was found, or nothing that has a name.
    Unknown,
}

impl Grade {
    pub fn is_right(self) -> bool {
        matches!(self, Grade::Exact | Grade::Narrowed)
    }
}

/// A set of controls beside the one that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Same,
    Wider,
    Narrower,
    Other,
}

/// One fault: the control that was to blame (the first of a class), the one that was named first, and how the sets compare.
#[derive(Clone, Debug)]
pub struct Named {
    pub injected: String,
    pub reported: String,
    pub class: usize,
    pub size: Size,
}

/// One run of one story.
#[derive(Clone, Debug)]
pub struct Row {
    pub story: String,
    /// Told in network namespaces.
    pub apart: bool,
    pub seed: u64,
    pub grade: Grade,
    pub healthy: bool,
    pub named: Vec<Named>,
    /// By the report's own account.
    pub took: Option<Duration>,
    /// The world's time limit for one operation.
    pub timeout: Duration,
    /// The longest that anything was waited for in vain.
    pub longest: Duration,
    /// What was waited for in vain, one thing after the other.
    pub waits: Vec<String>,
    pub wrong: Vec<String>,
}

impl Row {
    /// Grades a run, or the sentence that says why there is none.
    pub fn of(story: &str, scenario: &Scenario, apart: bool, seed: u64, played: Result<Run, String>) -> Row {
        let expect = &scenario.expect;
        let (report, wrong) = match played {
            Ok(run) => (run.report, run.mismatches),
            Err(error) => (None, vec![error]),
        };
        Row {
            story: story.to_owned(),
            apart,
            seed,
            grade: grade(expect, report.as_ref(), &wrong),
            healthy: is_healthy(expect),
            named: named(expect, report.as_ref()),
            took: report.as_ref().and_then(|report| report["duration_ms"].as_u64()).map(Duration::from_millis),
            timeout: patience(&scenario.world.timeout).unwrap_or(Duration::from_secs(1)),
            longest: report.as_ref().map(waits::longest).unwrap_or_default(),
            waits: report.as_ref().map(waits::in_a_row).unwrap_or_default(),
            wrong,
        }
    }

    /// How long it took, in time limits of its world.
    fn limits(&self) -> f64 {
        self.took.map_or(0.0, |took| took.as_secs_f64() / self.timeout.as_secs_f64())
    }
}

/// Whether nothing is wrong in the story's world, not even a warning.
fn is_healthy(expect: &Expect) -> bool {
    expect.diagnosis.is_empty() && expect.verdict.as_deref() == Some("pass")
}

fn grade(expect: &Expect, report: Option<&Value>, wrong: &[String]) -> Grade {
    let several = expect.diagnosis.iter().any(|diagnosis| diagnosis.controls.len() > 1);
    let found = report.map(diagnoses).unwrap_or_default();
    match report {
        _ if wrong.is_empty() && several => Grade::Narrowed,
        _ if wrong.is_empty() => Grade::Exact,
        Some(report) if is_healthy(expect) && (report["verdict"] != "unknown" || !found.is_empty()) => {
            Grade::FalseAlarm
        }
        Some(report) if report["verdict"] == "unknown" || found.iter().any(|one| one["cause"] == UNEXPLAINED) => {
            Grade::Unknown
        }
        _ => Grade::Wrong,
    }
}

fn diagnoses(report: &Value) -> Vec<&Value> {
    report["diagnoses"].as_array().map(|list| list.iter().collect()).unwrap_or_default()
}

/// Expected and reported diagnoses side by side: of the same cause first, then in order.
fn named(expect: &Expect, report: Option<&Value>) -> Vec<Named> {
    let mut found = report.map(diagnoses).unwrap_or_default();
    let mut rows = Vec::new();
    for wanted in &expect.diagnosis {
        let place = found.iter().position(|one| one["cause"] == wanted.cause.as_str());
        let place = place.or((!found.is_empty()).then_some(0));
        rows.push(pair(&wanted.controls, place.map(|place| found.remove(place))));
    }
    // A missing diagnosis has taken another's; whatever is left nobody asked for.
    rows.extend(found.into_iter().map(|more| pair(&[], Some(more))));
    if rows.is_empty() {
        rows.push(pair(&[], None));
    }
    rows
}

fn pair(wanted: &[String], found: Option<&Value>) -> Named {
    let given: Vec<String> = found
        .and_then(|one| one["controls"].as_array())
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let within = |small: &[String], large: &[String]| small.iter().all(|one| large.contains(one));
    let size = match (within(&given, wanted), within(wanted, &given)) {
        (true, true) => Size::Same,
        (false, true) => Size::Wider,
        (true, false) if !given.is_empty() => Size::Narrower,
        _ => Size::Other,
    };
    let first = |list: &[String]| list.first().map_or(NONE, String::as_str).to_owned();
    let unexplained = found.is_some_and(|one| one["cause"] == UNEXPLAINED);
    Named {
        injected: first(wanted),
        reported: if unexplained { UNEXPLAINED.to_owned() } else { first(&given) },
        class: wanted.len(),
        size,
    }
}

/// Stories that did not always come true: how often, of how many, with which seeds, and what was wrong the first time.
fn failing(rows: &[Row]) -> Vec<(String, usize, Vec<&Row>)> {
    let mut stories: BTreeMap<String, (usize, Vec<&Row>)> = BTreeMap::new();
    for row in rows {
        let name = if row.apart { format!("{} (namespaces)", row.story) } else { row.story.clone() };
        let (told, failed) = stories.entry(name).or_default();
        *told += 1;
        if !row.grade.is_right() {
            failed.push(row);
        }
    }
    let failing = stories.into_iter().filter(|(_, (_, failed))| !failed.is_empty());
    failing.map(|(name, (told, failed))| (name, told, failed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expect(text: &str) -> Expect {
        toml::from_str(text).expect("valid")
    }

    #[test]
    fn grades() {
        let fault = expect("verdict = 'fail'\n[[diagnosis]]\ncause = 'a/b'\ncontrols = ['nsg', 'host']");
        let healthy = expect("verdict = 'pass'");
        let alarm = json!({ "verdict": "warn", "diagnoses": [{ "cause": "c/d", "controls": ["dns"] }] });
        let wrong = ["something".to_owned()];
        assert_eq!(grade(&fault, Some(&alarm), &[]), Grade::Narrowed);
        assert_eq!(grade(&fault, Some(&alarm), &wrong), Grade::Wrong);
        assert_eq!(grade(&fault, Some(&json!({ "verdict": "unknown" })), &wrong), Grade::Unknown);
        assert_eq!(grade(&healthy, Some(&alarm), &wrong), Grade::FalseAlarm);
        assert_eq!(grade(&healthy, Some(&json!({ "verdict": "pass" })), &[]), Grade::Exact);
    }

    #[test]
    fn sets_are_compared() {
        let fault = expect("verdict = 'fail'\n[[diagnosis]]\ncause = 'a/b'\ncontrols = ['nsg', 'host']");
        let of = |controls: Value| {
            let report = json!({ "diagnoses": [{ "cause": "x/y", "controls": ["dns"] }, { "cause": "a/b", "controls": controls }] });
            let rows = named(&fault, Some(&report));
            (rows[0].size, rows[1].reported.clone())
        };
        let more = "dns".to_owned();
        assert_eq!(of(json!(["nsg", "host"])), (Size::Same, more.clone()));
        assert_eq!(of(json!(["nsg", "host", "dns"])), (Size::Wider, more.clone()));
        assert_eq!(of(json!(["nsg"])), (Size::Narrower, more));
        assert_eq!(named(&fault, None)[0].reported, NONE);
    }
}
