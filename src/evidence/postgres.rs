//! What the server said, step by step.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SslRequest {
    pub peer: SocketAddr,
    /// `S`, `N`, `E`, or what else came, escaped.
    pub answer: Option<String>,
    pub server_error: Option<ServerError>,
    /// Of a request without an answer: whether the peer's TCP had acknowledged it. Absent where the kernel does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledged: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Startup {
    pub user: String,
    pub database: String,
    /// `cleartext`, `scram`, `md5`, `nothing` or what else the server asked for.
    pub asks: Option<String>,
    pub server_error: Option<ServerError>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReply {
    /// True once the token left this machine.
    pub sent: bool,
    pub authenticated: bool,
    pub server_error: Option<ServerError>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub current_user: Option<String>,
    pub current_database: Option<String>,
    pub server_version: Option<String>,
    pub tls: Option<bool>,
    pub server_error: Option<ServerError>,
}

/// An ErrorResponse, whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerError {
    pub severity: String,
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub routine: Option<String>,
}
