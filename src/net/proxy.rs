//! A tunnel through a proxy: CONNECT of HTTP, or SOCKS5, with what the proxy answers kept.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::socks::{self, Goal};
use super::{Failed, failed, within};
use crate::evidence::{Detail, ProxyConnect, Recorder, Setting};
use crate::failure::Outcome;
use crate::target::proxy::{Kind, Proxy};

const HEAD: usize = 32 * 1024;
const BODY: usize = 4 * 1024;

/// What a proxy said, as far as it came.
#[derive(Default)]
pub(crate) struct Said {
    status: Option<u16>,
    headers: Vec<Setting>,
    quote: Option<String>,
    /// The word of a SOCKS5 refusal.
    socks: Option<String>,
}

/// Asks the proxy for a tunnel; what it answers is kept.
pub(crate) async fn connect(
    recorder: &Recorder,
    subject: &str,
    mut stream: TcpStream,
    proxy: &Proxy,
    goal: &Goal,
    patience: Duration,
) -> Result<TcpStream, Outcome> {
    let detail = ProxyConnect {
        proxy: proxy.shown(),
        variable: proxy.variable.clone(),
        destination: goal.told(),
        credentials_sent: proxy.credentials().is_some(),
        status: None,
        headers: Vec::new(),
        quote: None,
        socks: None,
    };
    let phrase = format!("a tunnel to {} at {}", goal.told(), proxy.shown());
    let mut pending = recorder.begin(subject, phrase, Detail::ProxyConnect(detail));
    let mut said = Said::default();
    let result = within(patience, tunnel(&mut stream, proxy, goal, &mut said)).await;
    if let Detail::ProxyConnect(detail) = &mut pending.detail {
        (detail.status, detail.headers, detail.quote, detail.socks) =
            (said.status, said.headers, said.quote, said.socks);
    }
    match result {
        Ok(()) => {
            pending.end(Outcome::Ok, None);
            Ok(stream)
        }
        Err((outcome, error)) => {
            pending.end(outcome, error);
            Err(outcome)
        }
    }
}

/// Asks the proxy for a tunnel and leaves in `said` what it answers.
pub(crate) async fn tunnel(stream: &mut TcpStream, proxy: &Proxy, goal: &Goal, said: &mut Said) -> Result<(), Failed> {
    if proxy.kind != Kind::Http {
        return socks::ask(stream, proxy, goal, &mut said.socks).await;
    }
    let destination = goal.told();
    let mut request = Zeroizing::new(format!("CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\n"));
    if let Some(authorization) = proxy.authorization() {
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(authorization.expose());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| failed(&error))?;
    let head = read_head(stream).await?;
    said.status = Some(head.status);
    said.headers = head.headers;
    said.quote = (!head.rest.is_empty()).then(|| super::quote(&head.rest));
    match head.status {
        200..300 if head.rest.is_empty() => Ok(()),
        200..300 => {
            Err((Outcome::Garbage, Some("the proxy sent data of its own before the tunnel was used".to_owned())))
        }
        status => Err((Outcome::Rejected, Some(format!("HTTP {status} to CONNECT")))),
    }
}

struct Head {
    status: u16,
    headers: Vec<Setting>,
    rest: Vec<u8>,
}

async fn read_head(stream: &mut TcpStream) -> Result<Head, Failed> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if !b"HTTP/".starts_with(&read[..read.len().min(5)]) {
            return Err((
                Outcome::Garbage,
                Some(format!("not an HTTP reply: {:?}", super::quote(&read[..read.len().min(40)]))),
            ));
        }
        if read.len() > HEAD {
            return Err((Outcome::TooLarge, Some(format!("the reply's head is longer than {HEAD} bytes"))));
        }
        if stream.read_buf(&mut read).await.map_err(|error| failed(&error))? == 0 {
            return Err((Outcome::Closed, Some("the proxy closed before its reply was whole".to_owned())));
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut rest = read.split_off(end + 4);
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split_ascii_whitespace().nth(1))
        .and_then(|code| code.parse::<u16>().ok())
        .filter(|code| (100..1000).contains(code));
    let status = status.ok_or_else(|| (Outcome::Garbage, Some("the reply has no status".to_owned())))?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            [
                "server",
                "via",
                "proxy-authenticate",
                "proxy-agent",
                "x-squid-error",
                "content-type",
                "x-cache",
                "retry-after",
            ]
            .contains(&name.as_str())
                || name.starts_with("x-")
        })
        .take(20)
        .map(|(name, value)| Setting { name: name.to_ascii_lowercase(), value: super::quote(value.trim().as_bytes()) })
        .collect();
    if status >= 300 {
        // A refusal explains itself in its body: a little of it is worth a short wait, never the whole patience.
        let _ = tokio::time::timeout(Duration::from_millis(100), async {
            while rest.len() < BODY && stream.read_buf(&mut rest).await.is_ok_and(|count| count > 0) {}
        })
        .await;
        rest.truncate(BODY);
    }
    Ok(Head { status, headers, rest })
}
