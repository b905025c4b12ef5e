//! An application at the token endpoint of its tenant: client credentials with a secret, a certificate or a federated assertion
//! (RFC 6749, 4.4; RFC 7523). The proof is sent over verified TLS, to the login host and nobody else; once for each token, and once more to a busy host.

use std::time::Duration;

use serde_json::Value;

use super::token::Wanted;
use super::{Run, grant, reach};
use crate::evidence::{Detail, Recorder, TokenRequest};
use crate::failure::Outcome;
use crate::net::form::{self, Answer};
use crate::net::{Failed, api::encoded, quote};
use crate::secret::Secret;
use crate::target::Proof;
use crate::target::assertion::signed;
use crate::verb::LOGIN;

/// Entra names one or two.
const CODES: usize = 8;
const ASSERTION: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

/// A busy host is asked once more after this pause, as Microsoft's own libraries do (MSAL: one retry on 5xx).
const AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn token(
    run: &Run,
    wanted: &Wanted<'_>,
    (client_id, tenant, proof): (&str, &str, &Proof),
) -> Option<Secret> {
    let host = run.target.cloud.login_host.clone();
    let endpoint = format!("https://{host}/{}/oauth2/v2.0/token", encoded(tenant));
    let detail =
        TokenRequest { credential: proof.credential().to_owned(), asked: endpoint.clone(), ..TokenRequest::default() };
    let mut pending = run.recorder.begin(wanted.subject, "the token endpoint", Detail::TokenRequest(Box::new(detail)));
    let ask = || async {
        let form = proven(run, wanted.resource, client_id, proof, &endpoint)
            .map_err(|text| (Outcome::Withheld, Some(text)))?;
        post(run, &host, &endpoint, &form).await
    };
    let mut answer = ask().await;
    if answer.as_ref().is_ok_and(|reply| reply.status >= 500) {
        tokio::time::sleep(AGAIN).await;
        pending.attempts += 1;
        answer = ask().await;
    }
    let Detail::TokenRequest(detail) = &mut pending.detail else { return None };
    match answer {
        Ok(reply) => {
            let (token, failed) = match read(&run.recorder, detail, &reply) {
                Ok(token) => (Some(token), None),
                Err(failed) => (None, Some(failed)),
            };
            pending.end(if token.is_some() { Outcome::Ok } else { Outcome::Rejected }, failed);
            token
        }
        Err((outcome, error)) => {
            pending.end(outcome, error);
            None
        }
    }
}

/// The form with the proof in it.
fn proven(run: &Run, resource: &str, client_id: &str, proof: &Proof, endpoint: &str) -> Result<Secret, String> {
    let scope = encoded(&format!("{resource}/.default"));
    let head = format!("grant_type=client_credentials&client_id={}&scope={scope}", encoded(client_id));
    let with_assertion = |assertion: Secret| {
        run.recorder.protect(&assertion);
        let text = encoded(assertion.expose());
        Secret::new(format!("{head}&client_assertion_type={ASSERTION}&client_assertion={text}"))
    };
    match proof {
        Proof::Secret(secret) => Ok(Secret::new(format!("{head}&client_secret={}", encoded(secret.expose())))),
        Proof::Certificate(key) => signed(key, client_id, endpoint, super::clock()).map(with_assertion),
        Proof::Federated(path) => {
            let text = crate::net::host::read_file(&path.to_string_lossy()).unwrap_or_default();
            if text.trim().is_empty() {
                return Err(format!("the federated token file {} cannot be read or is empty", path.display()));
            }
            Ok(with_assertion(Secret::new(text.trim().to_owned())))
        }
    }
}

/// Posts to the login host's proven addresses, or through the proxy. Who fails on the way is told by the check of the host.
async fn post(run: &Run, host: &str, endpoint: &str, form: &Secret) -> Result<Answer, Failed> {
    run.addresses(LOGIN).await;
    let begun = tokio::time::Instant::now();
    let way = reach::way(run, LOGIN, host, 443).await?;
    // Waiting for an address that accepts is part of the request.
    form::post(endpoint, &way, form, run.patience().saturating_sub(begun.elapsed())).await
}

/// Fills in what was answered; the token, or in one phrase why there is none.
pub(crate) fn read(recorder: &Recorder, detail: &mut TokenRequest, reply: &Answer) -> Result<Secret, String> {
    detail.status = Some(reply.status);
    detail.retry_after = reply.retry_after;
    let body = reply.json();
    let text = |name: &str| body.as_ref().and_then(|body| body.get(name)?.as_str());
    let mut failed = format!("HTTP {}", reply.status);
    if reply.status == 200 {
        match grant::token(body.as_ref()) {
            Ok(token) => {
                recorder.protect(&token);
                detail.token_received = true;
                return Ok(token);
            }
            Err(why) => failed = why,
        }
    }
    let kept = |name: &str| text(name).map(|text| quote(text.as_bytes()));
    detail.error = kept("error");
    detail.description = kept("error_description");
    detail.trace_id = kept("trace_id");
    detail.correlation_id = kept("correlation_id");
    let numbers = body.as_ref().and_then(|body| body.get("error_codes")?.as_array().cloned()).unwrap_or_default();
    detail.codes = numbers.iter().filter_map(Value::as_i64).take(CODES).map(|code| code.to_string()).collect();
    if detail.codes.is_empty() {
        detail.codes = codes(detail.description.as_deref().unwrap_or_default());
    }
    if body.is_none() && reply.status != 200 {
        detail.quote = Some(quote(&reply.body)).filter(|quote| !quote.is_empty());
    }
    let kept = [&detail.error, &detail.description, &detail.trace_id, &detail.correlation_id, &detail.quote];
    grant::protect(recorder, body.as_ref(), kept.map(Option::as_ref));
    Err(failed)
}

/// The AADSTS numbers that a text names.
pub(super) fn codes(text: &str) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for rest in text.split("AADSTS").skip(1) {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(9).collect();
        if !digits.is_empty() && !codes.contains(&digits) {
            codes.push(digits);
        }
        if codes.len() == CODES {
            break;
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::codes;

    #[test]
    fn finds_aadsts_numbers() {
        assert_eq!(codes("AADSTS7000215: Invalid client secret. AADSTS50001 and AADSTS7000215"), ["7000215", "50001"]);
        assert!(codes("AADSTSx").is_empty());
    }
}
