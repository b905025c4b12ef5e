//! The diagnosis that a good engineer would give.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The diagnosis that a good engineer would give.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub verdict: Option<String>,
    pub exit: Option<i32>,
    #[serde(default)]
    pub checks: BTreeMap<String, String>,
    #[serde(default)]
    pub suppressed: Vec<String>,
    #[serde(default)]
    pub diagnosis: Vec<ExpectedDiagnosis>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedDiagnosis {
    pub cause: String,
    pub controls: Vec<String>,
    pub certainty: Option<String>,
    pub severity: Option<String>,
    /// Each stands in one of the observed facts.
    #[serde(default)]
    pub because: Vec<String>,
}
