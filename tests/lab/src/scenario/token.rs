//! The access token, and where it comes from.

use serde::Deserialize;

use super::span::Span;

/// Where the token comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    #[default]
    Metadata,
    File,
    Stdin,
    Environment,
    ClientSecret,
    ClientCertificate,
    WorkloadIdentity,
    AzureCli,
    AppService,
    Arc,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    #[default]
    Jwt,
    Quoted,
    Bearer,
    Json,
    Opaque,
    LineEnds,
    ControlCharacters,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    App,
    User,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tenant {
    #[default]
    Own,
    Other,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    pub from: From,
    pub form: Form,
    pub audience: String,
    pub kind: Kind,
    pub tenant: Tenant,
    pub expires: Span,
    pub begins: Span,
    pub size: usize,
    pub guest: bool,
}

impl Default for Token {
    fn default() -> Token {
        Token {
            from: From::Metadata,
            form: Form::Jwt,
            audience: "postgres".to_owned(),
            kind: Kind::App,
            tenant: Tenant::Own,
            expires: Span(24 * 3600),
            begins: Span(0),
            size: 0,
            guest: false,
        }
    }
}
