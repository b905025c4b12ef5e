//! The token endpoint of the login host, when it does not give the token.

use serde::Deserialize;

/// What becomes of a token request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntraMode {
    #[default]
    Ok,
    /// Takes the request and says nothing.
    Silent,
    /// Takes the request and closes.
    Closed,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entra {
    pub mode: EntraMode,
    /// The OAuth error; empty, with codes: the one that mostly goes with them.
    pub error: String,
    pub codes: Vec<u32>,
    pub description: String,
    /// 0: 401 with `invalid_client`, else 400.
    pub status: u16,
    pub body: String,
    /// The header Retry-After of a refusal.
    pub retry_after: String,
    pub times: u32,
}

impl Entra {
    /// Whether the endpoint refuses what is right.
    pub fn refuses(&self) -> bool {
        !self.error.is_empty() || !self.codes.is_empty() || self.status != 0 || !self.body.is_empty()
    }
}
