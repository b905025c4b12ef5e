//! The Azure CLI: a script of that name.

use serde::Deserialize;

/// What it prints on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Printed {
    #[default]
    Token,
    WarningsThenToken,
    Nothing,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Az {
    pub installed: bool,
    pub exit: i32,
    pub stdout: Printed,
    pub stderr: String,
    pub hang: bool,
    /// It is there although the token comes from elsewhere.
    pub beside: bool,
}

impl Default for Az {
    fn default() -> Az {
        Az { installed: true, exit: 0, stdout: Printed::Token, stderr: String::new(), hang: false, beside: false }
    }
}
