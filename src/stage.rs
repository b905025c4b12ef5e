//! The stages of a sign-in, in the order in which they can fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Dns,
    Https,
    Token,
    Server,
    Login,
    Host,
}

impl Stage {
    pub const ALL: [Stage; 6] = [Stage::Dns, Stage::Https, Stage::Token, Stage::Server, Stage::Login, Stage::Host];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Dns => "dns",
            Stage::Https => "https",
            Stage::Token => "token",
            Stage::Server => "server",
            Stage::Login => "login",
            Stage::Host => "host",
        }
    }

    /// The stage of a check id such as `dns.login`.
    pub fn of(check: &str) -> Option<Stage> {
        let stem = check.split('.').next()?;
        Stage::ALL.into_iter().find(|stage| stage.name() == stem)
    }
}
