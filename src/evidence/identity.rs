//! What the endpoints that give tokens answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a managed identity or instance metadata endpoint answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataReply {
    /// `instance` or `token`.
    pub asked: String,
    pub url: String,
    pub status: Option<u16>,
    pub server: Option<String>,
    pub content_type: Option<String>,
    pub error: Option<String>,
    pub description: Option<String>,
    pub quote: Option<String>,
    pub instance: Option<Instance>,
    /// What came of Azure Arc's challenge: `missing`, `foreign`, `absent`, `unreadable` (then nothing was sent) or `met`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub challenge: Option<String>,
    /// For how many seconds the service asks to be left alone (Retry-After).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after: Option<u64>,
    pub token_received: bool,
    pub date: Option<i64>,
    pub clock: i64,
}

/// What the token endpoint of Entra, or the Azure CLI in front of it, answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `client-secret`, `client-certificate`, `workload-identity` or `azure-cli`.
    pub credential: String,
    /// The endpoint's address, or the command.
    pub asked: String,
    pub status: Option<u16>,
    pub error: Option<String>,
    /// AADSTS numbers, from `error_codes` or else from the description.
    pub codes: Vec<String>,
    pub description: Option<String>,
    pub trace_id: Option<String>,
    pub correlation_id: Option<String>,
    pub quote: Option<String>,
    /// For how many seconds the endpoint asks to be left alone (Retry-After).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after: Option<u64>,
    pub token_received: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub environment: Option<String>,
    pub vm: Option<String>,
    pub resource_group: Option<String>,
    pub subscription: Option<String>,
    pub location: Option<String>,
    pub private_address: Option<String>,
    pub subnet_prefix: Option<String>,
}
