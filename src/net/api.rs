//! A GET through reqwest, where the answer matters and not the way to it: the metadata service. No proxy, no redirect.

use std::time::Duration;

use super::{Failed, within};
use crate::failure::Outcome;
use crate::secret::Secret;

/// A token reply or an instance document is far smaller.
const BODY: usize = 64 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| super::quote(value.as_bytes()))
    }

    /// The Date header, seconds since 1970.
    pub(crate) fn date(&self) -> Option<i64> {
        super::http::date(self.headers.get("date")?.to_str().ok()?)
    }
}

/// A value of a query string (RFC 3986, unreserved characters kept).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Asks with the header `Metadata: true` (and App Service's own, a secret) and reads at most [`BODY`] bytes within the patience.
pub(crate) async fn get(
    url: &str,
    identity: Option<&Secret>,
    connect: Duration,
    patience: Duration,
) -> Result<Answer, Failed> {
    within(patience, async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect)
            .user_agent(concat!("entra-preflight/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(super::tls::no_tls())
            .http1_only()
            .build()
            .map_err(|error| (Outcome::Other, Some(error.to_string())))?;
        let mut request = client.get(url).header("Metadata", "true");
        if let Some(identity) = identity {
            request = request.header("X-IDENTITY-HEADER", identity.expose());
        }
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if body.len() + chunk.len() > BODY {
                return Err((Outcome::TooLarge, Some(format!("the body is longer than {BODY} bytes"))));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    })
    .await
}

fn classify(error: &reqwest::Error) -> Failed {
    use std::error::Error as _;
    let mut source = error.source();
    let mut outcome = if error.is_timeout() { Outcome::Timeout } else { Outcome::Other };
    let mut text = String::new();
    while let Some(cause) = source {
        text = cause.to_string();
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && outcome == Outcome::Other
        {
            outcome = Outcome::of_io(io);
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>()
            && outcome == Outcome::Other
        {
            outcome = super::http::classify(hyper).0;
        }
        source = cause.source();
    }
    (outcome, Some(text).filter(|text| !text.is_empty()))
}
