//! An error text that somebody else got.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `--reported` named, as far as it may be kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// How many bytes it had.
    pub bytes: usize,
    /// The text, with everything of a secret's shape blotted out.
    pub text: String,
}
