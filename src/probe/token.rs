//! The token: handed in or from the managed identity; what it says of itself; whether it may be sent.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Run, application, azure_cli, metadata};
use crate::evidence::{Claims, Detail, Validity, skew};
use crate::failure::Outcome;
use crate::net::quote;
use crate::secret::Secret;
use crate::target::Source;
use crate::verb::TOKEN;

/// A token that was looked at and may be sent to this cloud's PostgreSQL.
pub(super) struct Ready {
    pub(super) secret: Secret,
}

/// No token is longer; PostgreSQL takes 65535 bytes (PG_MAX_AUTH_TOKEN_LENGTH).
const LONGEST: usize = 65_535;

/// What a token is for, and whose stage its acquisition is.
pub(super) struct Wanted<'a> {
    pub(super) subject: &'a str,
    pub(super) resource: &'a str,
}

pub(super) async fn run(run: Arc<Run>) {
    let Some(giver) = run.token.giver() else { return };
    let wanted = Wanted { subject: TOKEN, resource: &run.target.cloud.resource };
    let (secret, source) = match &run.target.source {
        Source::Given(given) => (Some(Secret::new(given.secret.expose().to_owned())), given.source),
        _ => acquired(&run, &wanted).await,
    };
    let Some(secret) = secret else {
        let _ = giver.send(Some(None));
        return;
    };
    let claims = read(&secret, source);
    run.recorder.note(TOKEN, Outcome::Ok, Detail::Claims(claims.clone()));
    let good = may_be_sent(&run, &claims).await;
    let _ = giver.send(Some(good.then(|| Arc::new(Ready { secret }))));
}

/// A token of this run's credential, and the word for the credential. What was handed in is for PostgreSQL and nothing else.
pub(super) async fn acquired(run: &Run, wanted: &Wanted<'_>) -> (Option<Secret>, &'static str) {
    match &run.target.source {
        Source::Given(given) => (None, given.source),
        Source::Application { client_id, tenant, proof } => {
            (application::token(run, wanted, (client_id, tenant, proof)).await, proof.credential())
        }
        Source::ManagedIdentity => (metadata::token(run, wanted).await, "managed-identity"),
        Source::AppService { .. } => (metadata::token(run, wanted).await, "app-service"),
        Source::Arc { .. } => (metadata::token(run, wanted).await, "arc"),
        Source::AzureCli => (azure_cli::token(run, wanted).await, "azure-cli"),
        // Nobody named a credential: the machine's identity where there is one, else the account of the Azure CLI.
        Source::Whatever if azure_cli::installed() && run.in_azure.wait().await != Some(true) => {
            (azure_cli::token(run, wanted).await, "azure-cli")
        }
        Source::Whatever => (metadata::token(run, wanted).await, "managed-identity"),
        Source::None => (None, "none"),
    }
}

/// Never sent: what is no JWT, is for another service or tenant, or is over by the measured clock.
async fn may_be_sent(run: &Run, claims: &Claims) -> bool {
    let postgres = claims.audience.iter().any(|audience| run.target.cloud.is_postgres(audience));
    let other_tenant = match (&run.target.tenant, &claims.tenant) {
        (Some(wanted), Some(tenant)) if crate::rules::is_guid(wanted) => !wanted.eq_ignore_ascii_case(tenant),
        _ => false,
    };
    if claims.form != "jwt" || claims.bytes > LONGEST || !postgres || other_tenant {
        return false;
    }
    let good = |validity| matches!(validity, Validity::Valid { .. } | Validity::EndsSoon { .. } | Validity::Unsaid);
    if good(claims.validity(skew(&run.recorder.observations()))) && good(claims.validity(None)) {
        return true;
    }
    // Perhaps it is our clock that is wrong: the login host's Date tells.
    run.dated.wait().await;
    good(claims.validity(skew(&run.recorder.observations())))
}

/// Form, length and an allow-list of claims. Nothing is verified: that is the server's business.
fn read(secret: &Secret, source: &str) -> Claims {
    let text = secret.expose();
    let mut claims = Claims {
        source: source.to_owned(),
        form: form(text).to_owned(),
        bytes: text.len(),
        clock: super::clock(),
        ..Claims::default()
    };
    let Some(payload) = payload(text).filter(|_| claims.form == "jwt") else { return claims };
    let string = |name: &str| payload.get(name).and_then(Value::as_str).map(|text| quote(text.as_bytes()));
    // Dates are NumericDate (RFC 7519): seconds, perhaps with a fraction; some issuers write them as strings.
    let date = |name: &str| {
        let value = payload.get(name)?;
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64)).or_else(|| value.as_str()?.parse().ok())
    };
    claims.audience = match payload.get("aud") {
        Some(Value::String(one)) => vec![quote(one.as_bytes())],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).take(8).map(|one| quote(one.as_bytes())).collect()
        }
        _ => Vec::new(),
    };
    claims.issuer = string("iss");
    claims.tenant = string("tid");
    claims.identity_type = string("idtyp");
    claims.user_name = string("upn").or_else(|| string("preferred_username")).or_else(|| string("unique_name"));
    claims.object_id = string("oid");
    claims.application_id = string("appid").or_else(|| string("azp"));
    claims.expires = date("exp");
    claims.not_before = date("nbf");
    claims.issued_at = date("iat");
    claims
}

fn form(text: &str) -> &'static str {
    if text.is_empty() {
        "empty"
    } else if text.starts_with(['"', '\'']) {
        "quoted"
    } else if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        "bearer"
    } else if text.starts_with('{') {
        "json"
    } else if text.len() > LONGEST {
        "too-long"
    } else if text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        "control-characters"
    } else if payload(text).is_some() {
        "jwt"
    } else {
        "opaque"
    }
}

/// The claims of three base64url parts joined by dots (RFC 7515, compact serialisation).
pub(super) fn payload(text: &str) -> Option<Value> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return None };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
    decode(signature)?;
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    let payload: Value = serde_json::from_slice(&decode(payload)?).ok()?;
    (header.is_object() && payload.is_object()).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(payload), part("signature"))
    }

    #[test]
    fn recognises_forms() {
        let good = jwt(r#"{"aud":"x"}"#);
        for (text, expected) in [
            (good.clone(), "jwt"),
            (format!("\"{good}\""), "quoted"),
            (format!("Bearer {good}"), "bearer"),
            (format!("{{\"accessToken\":\"{good}\"}}"), "json"),
            (good.replacen('.', ".\n", 1), "control-characters"),
            ("hunter2".to_owned(), "opaque"),
            ("a.b.c".to_owned(), "opaque"),
            (String::new(), "empty"),
            ("x".repeat(70_000), "too-long"),
        ] {
            assert_eq!(form(&text), expected, "{expected}");
        }
    }

    #[test]
    fn reads_odd_claims_without_failing() {
        for payload in [
            r#"{"aud":["a","b"],"exp":1e18,"nbf":"12"}"#,
            r#"{"aud":7,"exp":-1}"#,
            r#"{"exp":null}"#,
            r#"{"aud":"x","exp":17.5}"#,
        ] {
            let claims = read(&Secret::new(jwt(payload)), "token-file");
            assert_eq!(claims.form, "jwt", "{payload}");
        }
    }
}
