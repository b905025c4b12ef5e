//! What endpoints that give tokens answer (RFC 6749, 5.1): the token if it can be used, and nothing that looks like one in what is kept.

use serde_json::Value;

use crate::evidence::Recorder;
use crate::secret::Secret;

/// The token of a successful answer, or why there is none that can be used. The media type of the answer does not matter, as it does not to the Azure SDKs;
/// the type of the token does: PostgreSQL takes it as a password, and only a bearer token is one.
pub(super) fn token(body: Option<&Value>) -> Result<Secret, String> {
    let body = body.ok_or("the answer is no JSON")?;
    let token = body.get("access_token").and_then(Value::as_str).ok_or("there is no access_token in the answer")?;
    match body.get("token_type") {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(other) => {
            let kind = crate::net::quote(other.as_str().unwrap_or("(no text)").as_bytes());
            return Err(format!("the token has the type {kind}, which is not Bearer: it is no password"));
        }
    }
    Ok(Secret::new(token.to_owned()))
}

/// Keeps every token of an answer out of what is recorded of it, whatever its status.
pub(super) fn protect<'a>(
    recorder: &Recorder,
    body: Option<&Value>,
    kept: impl IntoIterator<Item = Option<&'a String>>,
) {
    for name in ["access_token", "id_token", "refresh_token"] {
        if let Some(token) = body.and_then(|body| body.get(name)?.as_str()) {
            recorder.protect(&Secret::new(token.to_owned()));
        }
    }
    // Only what is kept is looked through: a piece of a token is blotted out as a whole one is.
    for text in kept.into_iter().flatten() {
        for word in text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter))) {
            if word.starts_with("eyJ") {
                recorder.protect(&Secret::new(word.to_owned()));
            }
        }
    }
}
