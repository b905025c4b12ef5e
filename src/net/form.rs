//! One request to an API that takes a secret, through reqwest: here its answer matters, and the way to it is told by others.
//!
//! It runs on a thread of its own, which is left behind at the patience: a peer that keeps an HTTP parser busy costs time
//! and nothing more.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::Failed;
use super::tls::{Trust, stream_failed};
use crate::failure::Outcome;
use crate::secret::Secret;
use crate::target::proxy::Proxy;

/// No answer of a token endpoint is longer.
const BODY: usize = 64 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Seconds, as the header Retry-After asks.
    pub(crate) retry_after: Option<u64>,
}

impl Answer {
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The way to a host: the addresses to dial (none where a proxy resolves the name), the proxy and its own addresses, and whom to trust.
pub(crate) struct Way<'a> {
    pub(crate) host: &'a str,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) proxy: Option<(&'a Proxy, Vec<SocketAddr>)>,
    pub(crate) trust: Trust,
}

/// What is asked with a secret.
pub(super) enum Ask<'a> {
    /// A POST of this form.
    Form(&'a Secret),
    /// A GET with this token.
    Bearer(&'a Secret),
}

/// Posts a form that holds a secret, inside verified TLS. Redirects are not followed.
pub(crate) async fn post(url: &str, way: &Way<'_>, form: &Secret, patience: Duration) -> Result<Answer, Failed> {
    send(url, way, Ask::Form(form), patience).await
}

pub(super) async fn send(url: &str, way: &Way<'_>, ask: Ask<'_>, patience: Duration) -> Result<Answer, Failed> {
    let other = |error: &dyn std::fmt::Display| (Outcome::Other, Some(error.to_string()));
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(patience)
        .user_agent(concat!("entra-preflight/", env!("CARGO_PKG_VERSION")))
        .https_only(true)
        .http1_only()
        .resolve_to_addrs(way.host, &way.addresses)
        .tls_backend_preconfigured(way.trust.client().map_err(|error| other(&error))?);
    if let Some((proxy, addresses)) = &way.proxy {
        // Its name, too, is resolved by this program: reqwest would ask the system's resolver.
        builder = builder.resolve_to_addrs(&proxy.host, addresses);
        let mut through = reqwest::Proxy::https(proxy.shown()).map_err(|error| other(&error))?;
        if let Some((user, password)) = proxy.credentials() {
            through = through.basic_auth(user, password.expose());
        }
        builder = builder.proxy(through);
    }
    let url = url.to_owned();
    let ask = match ask {
        Ask::Form(form) => Sent::Form(form.expose().to_owned()),
        Ask::Bearer(token) => {
            let mut value = hyper::header::HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| (Outcome::Withheld, Some("the token has letters that no header may have".to_owned())))?;
            value.set_sensitive(true);
            Sent::Bearer(value)
        }
    };
    let (give, take) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("form".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let answer = match runtime {
            Ok(runtime) => runtime.block_on(exchange(builder, url, ask)),
            Err(error) => Err(super::failed(&error)),
        };
        let _ = give.send(answer);
    });
    thread.map_err(|error| super::failed(&error))?;
    match tokio::time::timeout(patience, take).await {
        Ok(Ok(answer)) => answer.map_err(|(outcome, text)| match outcome {
            Outcome::Timeout => (outcome, Some(late(patience))),
            _ => (outcome, text),
        }),
        Ok(Err(_)) => Err((Outcome::Other, Some("the request broke off".to_owned()))),
        Err(_) => Err((Outcome::Timeout, Some(late(patience)))),
    }
}

fn late(patience: Duration) -> String {
    format!("no answer within {:.1} s", patience.as_secs_f64())
}

/// The same, on its way to the thread.
enum Sent {
    Form(String),
    Bearer(hyper::header::HeaderValue),
}

async fn exchange(builder: reqwest::ClientBuilder, url: String, ask: Sent) -> Result<Answer, Failed> {
    let client = builder.build().map_err(|error| classify(&error))?;
    let request = match ask {
        Sent::Form(form) => client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form),
        Sent::Bearer(token) => client.get(url).header("authorization", token),
    };
    let mut response = request.header("accept", "application/json").send().await.map_err(|error| classify(&error))?;
    let status = response.status().as_u16();
    let retry_after = super::http::retry_after(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if body.len() + chunk.len() > BODY {
            return Err((Outcome::TooLarge, Some(format!("the body is longer than {BODY} bytes"))));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body, retry_after })
}

/// The first cause that says what happened; reqwest's own words when none does. The URL is not repeated.
fn classify(error: &reqwest::Error) -> Failed {
    use std::error::Error as _;
    if error.is_timeout() {
        return (Outcome::Timeout, None);
    }
    let mut source = error.source();
    let mut text = None;
    while let Some(cause) = source {
        text = Some(cause.to_string());
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let (outcome, said) = stream_failed(io);
            if outcome != Outcome::Other {
                return (outcome, said);
            }
        }
        source = cause.source();
    }
    (Outcome::Other, text)
}
