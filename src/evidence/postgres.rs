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
    /// As the server names it, `TLSv1.3`: of its own connection, which a pooler may hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls_version: Option<String>,
    /// Whom the sign-in proved; `current_user` may be another role that the role takes on at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_user: Option<String>,
    pub server_error: Option<ServerError>,
}

/// What the catalogues of the database say of the role that is signed in, and of the one that `--role` names.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The session's own role.
    pub user: String,
    pub asked: Option<String>,
    /// The session's own role, and all that the asked name may mean; absent when it was not answered.
    pub found: Option<Vec<DatabaseRole>>,
    /// The server parameter `pgaadauth.enable_group_sync`.
    pub group_sync: Option<String>,
    pub refused: Vec<Refusal>,
}

/// A row of `pg_roles`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseRole {
    pub name: String,
    pub login: bool,
    pub create_db: bool,
    pub create_role: bool,
    pub valid_until: Option<String>,
    /// By the server's clock.
    pub expired: bool,
    /// Member of `azure_pg_admin`; absent where that role does not exist.
    pub administrator: Option<bool>,
    pub mapping: Option<Mapping>,
}

/// The principal of Microsoft Entra ID that a role is mapped to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// `user`, `group` or `service`.
    pub kind: Option<String>,
    pub object_id: Option<String>,
    pub tenant_id: Option<String>,
    pub administrator: bool,
}

/// A question that the server refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub question: String,
    pub server_error: ServerError,
}

impl Roles {
    pub fn role(&self, name: &str) -> Option<&DatabaseRole> {
        self.found.iter().flatten().find(|role| role.name == name)
    }

    pub(crate) fn mapping_of(&self, name: &str) -> Option<&Mapping> {
        self.role(name)?.mapping.as_ref()
    }

    pub(crate) fn map(&mut self, name: &str, mapping: Mapping) {
        if let Some(role) = self.found.iter_mut().flatten().find(|role| role.name == name) {
            role.mapping = Some(mapping);
        }
    }

    /// The names of roles of which no mapping is known.
    pub(crate) fn unmapped(&self) -> impl Iterator<Item = &str> {
        self.found.iter().flatten().filter(|role| role.mapping.is_none()).map(|role| role.name.as_str())
    }
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
