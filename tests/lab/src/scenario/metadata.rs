//! The instance metadata service.

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataMode {
    #[default]
    Ok,
    Silent,
    SilentToken,
    /// Another cloud's service.
    Foreign,
    Closed,
    Reset,
    Garbage,
}

/// The key file of Azure Arc's agent, in the agent's directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// There is none.
    #[default]
    None,
    Ok,
    /// Another than the agent wants.
    Other,
    /// The program's user may not read it.
    Unreadable,
    /// Longer than a key may be.
    Large,
    /// A link to a file outside the directory.
    Link,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    pub mode: MetadataMode,
    pub status: u16,
    pub error: String,
    pub description: String,
    pub body: String,
    pub server: String,
    pub times: u32,
    /// The file that Azure Arc's challenge names; empty: a challenge without one.
    pub realm: String,
    /// What lies there; only with namespaces.
    pub key: Key,
    /// Whether Azure Arc's agent is known by its program, and no variable names its endpoint; only with namespaces.
    pub installed: bool,
    /// The header Retry-After of what is no token.
    pub retry_after: String,
}

impl Default for Metadata {
    fn default() -> Metadata {
        Metadata {
            mode: MetadataMode::Ok,
            status: 200,
            error: String::new(),
            description: String::new(),
            body: String::new(),
            server: "IMDS/150.870.65.1856".to_owned(),
            times: 0,
            realm: "/var/opt/azcmagent/tokens/lab.key".to_owned(),
            key: Key::None,
            installed: false,
            retry_after: String::new(),
        }
    }
}
