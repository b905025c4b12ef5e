//! What a session may read of roles.

use serde::Deserialize;

/// Which questions are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    #[default]
    All,
    /// The labels are refused, the function is allowed.
    List,
    /// Labels and function are refused.
    Roles,
    /// Everything but the identity is refused.
    Nothing,
    /// An ordinary PostgreSQL: no label, no function, no `azure_pg_admin`.
    Bare,
    /// The identity is answered, and then nothing.
    Silent,
}

/// Whose object id a role's label has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oid {
    #[default]
    Other,
    /// The token's own.
    Token,
}

/// One more role. `{user}` is replaced in its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoreRole {
    pub name: String,
    /// `user`, `group`, `service`; empty for a role that is not mapped.
    #[serde(default)]
    pub kind: String,
    #[serde(default = "yes")]
    pub login: bool,
    #[serde(default)]
    pub expired: bool,
    #[serde(default)]
    pub oid: Oid,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    pub reads: Reads,
    /// What the user's own role is mapped to; empty: as the token is.
    pub kind: String,
    pub admin: bool,
    pub group_sync: String,
    pub role: Vec<MoreRole>,
}
