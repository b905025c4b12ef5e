//! What Microsoft Graph says of a name: the questions, and the directory's objects that answer to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name, looked up in the directory of the credential's tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalLookup {
    /// `principal` (the option) or `user` (the role of a sign-in that failed).
    pub asked: String,
    pub name: String,
    pub questions: Vec<GraphQuestion>,
    pub found: Vec<DirectoryObject>,
}

/// One question to Microsoft Graph, and how it was answered. A question without a status was not answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphQuestion {
    /// `users`, `groups` or `servicePrincipals`.
    pub collection: String,
    pub outcome: Option<crate::failure::Outcome>,
    pub status: Option<u16>,
    /// Graph's own error code, such as `Authorization_RequestDenied`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Seconds, as the header Retry-After asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after: Option<u64>,
    /// For support: the id that Graph gave the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

/// A user, group or service principal of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryObject {
    /// The collection that it was found in.
    pub collection: String,
    pub id: String,
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_principal_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mail: Option<String>,
    /// `Member` or `Guest`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app_id: Option<String>,
    /// `Application`, `ManagedIdentity`…
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service_principal_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub security_enabled: Option<bool>,
}

impl DirectoryObject {
    /// The name of the database role of this principal: a user's UPN, anybody else's display name.
    pub fn role_name(&self) -> Option<&str> {
        if self.collection == "users" { self.user_principal_name.as_deref() } else { self.display_name.as_deref() }
    }
}
