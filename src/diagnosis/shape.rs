//! What judging yields, in the shape of the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Certainty, CommandKind, Control, Language, Severity, Status};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    pub id: String,
    pub title: String,
    pub status: Status,
    pub duration_ms: u64,
    /// One line for a person.
    pub observed: String,
    pub blocked_by: Vec<String>,
    /// Places in the report's `evidence`.
    pub evidence: Vec<usize>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    pub cause: String,
    pub severity: Severity,
    /// What to change, most likely first.
    pub controls: Vec<Control>,
    pub certainty: Certainty,
    pub summary: String,
    /// Observed facts that led here.
    pub because: Vec<String>,
    /// What the observations mean: why this is a problem.
    pub means: String,
    pub explains: Vec<String>,
    pub ruled_out: Vec<Control>,
    /// The one test that would separate the remaining controls.
    pub next: Option<String>,
    /// The command of that test alone, when it has one.
    pub next_run: Option<String>,
    pub remarks: Vec<String>,
    pub remedies: Vec<Remedy>,
    /// How to see that it is mended.
    pub verify: String,
    pub sources: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    pub control: Control,
    pub owner: String,
    pub title: String,
    pub steps: Vec<String>,
    pub commands: Vec<Command>,
    pub docs: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    pub run: String,
    pub kind: CommandKind,
    pub language: Language,
}

/// A consequence of a cause above, named but not repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppressed {
    pub cause: String,
    pub by: String,
}
