//! The variables that the ecosystem already uses, read once and without their secrets.

use crate::evidence::Setting;

use super::Invalid;
use super::proxy::{Proxies, Proxy, exempt};

/// Reads a variable; an empty one counts as unset, as libpq and curl have it.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What this process inherited that bears on a sign-in, safe to show.
#[derive(Clone, Default)]
pub struct Inherited {
    /// libpq's variables, never PGPASSWORD.
    pub libpq: Vec<Setting>,
    pub proxy_variables: Vec<Setting>,
    pub no_proxy: Option<String>,
    pub metadata_exempt: bool,
    /// Pairs of spellings that are both set, with different values.
    pub proxy_conflicts: Vec<String>,
}

const LIBPQ: [&str; 10] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGSERVICE",
];
/// curl's order: the lower-case spelling first.
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const ALL: [&str; 6] = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// What else decides a run.
const DECIDING: [&str; 11] = [
    "no_proxy",
    "NO_PROXY",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

/// The first variable that is set and is no text: to take it for unset would judge another machine than this one.
pub fn unreadable() -> Option<&'static str> {
    let no_text = |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    LIBPQ.iter().chain(&ALL).chain(&DECIDING).copied().find(|name| no_text(name))
}

pub fn inherited() -> Inherited {
    let no_proxy = variable("no_proxy").or_else(|| variable("NO_PROXY"));
    Inherited {
        libpq: LIBPQ
            .iter()
            .filter_map(|name| Some(Setting { name: (*name).to_owned(), value: variable(name)? }))
            .collect(),
        proxy_variables: ALL
            .iter()
            .filter_map(|name| {
                let value = variable(name)?;
                let shown = Proxy::parse(&value, name)
                    .map_or_else(|_| "(not a proxy that can be used)".to_owned(), |proxy| proxy.shown());
                Some(Setting { name: (*name).to_owned(), value: shown })
            })
            .collect(),
        proxy_conflicts: ["https_proxy", "http_proxy", "all_proxy", "no_proxy"]
            .into_iter()
            .filter_map(|lower| {
                let upper = lower.to_ascii_uppercase();
                (variable(lower)? != variable(&upper)?).then(|| format!("{lower} and {upper}"))
            })
            .collect(),
        metadata_exempt: no_proxy.as_deref().is_some_and(|list| exempt(list, "169.254.169.254")),
        no_proxy,
    }
}

/// The proxy that `--proxy` or the environment names for HTTPS.
///
/// # Errors
/// A proxy that cannot be used, by the name of what set it.
pub fn proxies(option: Option<&str>) -> Result<Proxies, Invalid> {
    let no_proxy = variable("no_proxy").or_else(|| variable("NO_PROXY"));
    let proxy = match option {
        Some("none" | "") => None,
        Some(url) => Some(Proxy::parse(url, "--proxy").map_err(Invalid)?),
        None => {
            let named = HTTPS.iter().find_map(|name| Some((*name, variable(name)?)));
            named
                .map(|(name, url)| Proxy::parse(&url, name))
                .transpose()
                .map_err(|rule| Invalid(format!("{rule}; correct it, or pass --proxy none to go without")))?
        }
    };
    Ok(Proxies { proxy, no_proxy, by_option: option.is_some() })
}
