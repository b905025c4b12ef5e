//! Whom a run may contact, and for what.

use serde::Serialize;

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Destination {
    /// `HOST:PORT`, or a command of this machine.
    pub to: String,
    /// `dns`, `https`, `http`, `postgresql`, `connect` or `command`.
    pub protocol: &'static str,
    /// What `--connect-to` may dial instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialled: Vec<String>,
    /// The proxy that it is reached through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    pub purpose: String,
    /// When it is contacted, if not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<&'static str>,
}

impl Destination {
    /// Whether both are the same peer, reached in the same way and at the same occasion.
    pub(crate) fn meets(&self, other: &Destination) -> bool {
        (&self.to, self.protocol, &self.dialled, &self.through, self.only)
            == (&other.to, other.protocol, &other.dialled, &other.through, other.only)
    }

    pub(crate) fn new(protocol: &'static str, to: impl Into<String>, purpose: impl Into<String>) -> Destination {
        let (to, purpose) = (to.into(), purpose.into());
        Destination { to, protocol, dialled: Vec::new(), through: None, purpose, only: None }
    }
}
