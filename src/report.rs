//! What was judged, in the shape of the contract: computed once, printed by any page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{CheckResult, Diagnosis, Suppressed};
use crate::evidence::{Observation, Tool};
use crate::terms::{Proven, Topology, Verdict, Where};

mod assemble;
mod saved;
mod sign_in;

pub use assemble::assemble;
pub use saved::{saved, schema};

pub const SCHEMA: &str = "entra-preflight/report/1";

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always `entra-preflight/report/1`.
    pub schema: SchemaId,
    pub tool: Tool,
    pub run_id: String,
    /// RFC 3339.
    pub started_at: String,
    pub duration_ms: u64,
    pub verdict: Verdict,
    pub counts: Counts,
    pub target: TargetSection,
    pub vantage: Vantage,
    pub requirements: Vec<Requirement>,
    pub checks: Vec<CheckResult>,
    pub diagnoses: Vec<Diagnosis>,
    pub suppressed: Vec<Suppressed>,
    /// How to sign in, after a sign-in that worked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sign_in: Vec<SignIn>,
    /// What is to be known beside it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sign_in_remarks: Vec<String>,
    pub evidence: Vec<Observation>,
}

/// How to sign in with one client.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// `psql`, `conninfo`, `uri`, `pgadmin`.
    pub client: String,
    /// `linux`, `macos`, `windows` or `any`.
    pub platform: String,
    /// Whether it is for the platform of this run.
    pub here: bool,
    /// Lines to paste; never a secret in them.
    pub run: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaId {
    #[serde(rename = "entra-preflight/report/1")]
    One,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub skip: usize,
    pub unknown: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSection {
    pub cloud: String,
    pub server: Option<String>,
    pub port: u16,
    pub user: Option<String>,
    pub database: String,
    pub topology: Topology,
    /// The credential that was used, or `none`.
    pub credential: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vantage {
    #[serde(rename = "where")]
    pub place: Where,
    pub nameservers: Vec<String>,
    pub proxy: Option<String>,
    pub azure: Option<AzureVm>,
    pub statement: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureVm {
    pub vm: Option<String>,
    pub resource_group: Option<String>,
    pub subscription: Option<String>,
    pub location: Option<String>,
    pub private_address: Option<String>,
    pub subnet_prefix: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    pub id: String,
    pub text: String,
    pub applies: bool,
    pub proven: Proven,
    pub by: Vec<String>,
    pub source: String,
}
