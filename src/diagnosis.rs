//! Facts and the catalogue in, causes out: the earliest thing that is wrong, once, with what could be changed.
//!
//! Three rules and no scores: what fails because a prerequisite of the same subject failed is a consequence; a specific
//! cause silences a general one for its subject; and what no cause explains is said aloud.

use crate::catalogue::Catalogue;
use crate::fact::Facts;
use crate::stage::Stage;
use crate::terms::Severity;

mod controls;
mod finding;
mod shape;
mod standing;
mod told;

pub use shape::{CheckResult, Command, Diagnosis, Remedy, Suppressed};
pub use standing::Judged;
pub(crate) use standing::{applies, topology};

/// What was judged, before it is put into a report.
pub struct Judgement<'a> {
    pub checks: Vec<Judged<'a>>,
    pub diagnoses: Vec<Diagnosis>,
    pub suppressed: Vec<Suppressed>,
}

pub fn judge<'a>(facts: &Facts, catalogue: &'a Catalogue) -> Judgement<'a> {
    let checks = standing::all(facts, catalogue);
    let found = finding::all(facts, catalogue, &checks);
    let mut diagnoses = told::all(facts, catalogue, &checks, &found.findings);
    let stage = |diagnosis: &Diagnosis| diagnosis.explains.iter().filter_map(|check| Stage::of(check)).min();
    diagnoses.sort_by_key(|diagnosis| (diagnosis.severity == Severity::Warn, stage(diagnosis)));
    let suppressed = consequences(&found.consequences, &diagnoses);
    Judgement { checks, diagnoses, suppressed }
}

/// Names each consequence once, by the diagnosis of the check that it waits for.
fn consequences(consequences: &[finding::Consequence<'_>], diagnoses: &[Diagnosis]) -> Vec<Suppressed> {
    let mut suppressed: Vec<Suppressed> = Vec::new();
    for consequence in consequences {
        let by =
            diagnoses.iter().find(|diagnosis| diagnosis.explains.iter().any(|id| consequence.blocked_by.contains(id)));
        let Some(by) = by else { continue };
        let row = Suppressed { cause: consequence.cause.id.clone(), by: by.cause.clone() };
        if !suppressed.contains(&row) {
            suppressed.push(row);
        }
    }
    suppressed
}

impl Judged<'_> {
    pub fn result(&self, evidence: &[crate::evidence::Observation]) -> CheckResult {
        let seen = self.evidence.iter().filter_map(|index| evidence.get(*index));
        let begin = seen.clone().map(|observation| observation.at_ms).min().unwrap_or(0);
        let end = seen.map(|observation| observation.at_ms.saturating_add(observation.duration_ms)).max().unwrap_or(0);
        CheckResult {
            id: self.check.id.clone(),
            title: self.title.clone(),
            status: self.status,
            duration_ms: end.saturating_sub(begin),
            observed: self.observed.clone(),
            blocked_by: self.blocked_by.clone(),
            evidence: self.evidence.clone(),
        }
    }
}
