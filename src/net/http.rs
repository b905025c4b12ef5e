//! One HTTP/1.1 GET on a stream that is already up. Redirects are read, never followed; a body is read up to a limit.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Failed, within};
use crate::evidence::Setting;
use crate::failure::Outcome;

pub(crate) const BODY: usize = 256 * 1024;
const HEAD: usize = 32 * 1024;
/// All that a peer may send in one exchange: heads, body, chunk sizes, trailers, and whatever else it thinks of.
const EXCHANGE: usize = 512 * 1024;

/// Header names that say who answered and why; nothing else is kept.
const KEPT: [&str; 16] = [
    "server",
    "via",
    "content-type",
    "x-squid-error",
    "proxy-authenticate",
    "proxy-agent",
    "x-cache",
    "retry-after",
    "x-ms-request-id",
    "request-id",
    "x-ms-ags-diagnostic",
    "x-bluecoat-via",
    "x-zscaler-reason",
    "www-authenticate",
    "x-azure-ref",
    "x-iinfo",
];

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| super::quote(value.as_bytes()))
    }

    pub(crate) fn kept_headers(&self) -> Vec<Setting> {
        KEPT.iter().filter_map(|name| Some(Setting { name: (*name).to_owned(), value: self.header(name)? })).collect()
    }

    /// The Date header, seconds since 1970.
    pub(crate) fn date(&self) -> Option<i64> {
        date(self.headers.get("date")?.to_str().ok()?)
    }
}

/// For how many seconds a peer asks to be left alone: a number, or a date that is counted from its own clock (RFC 9110, 10.2.3). What is neither says nothing.
pub(crate) fn retry_after(headers: &hyper::HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let wanted = text("retry-after")?;
    if !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        // What no number holds is as good as for ever.
        return Some(wanted.parse().unwrap_or(u64::MAX));
    }
    let (until, now) = (date(wanted)?, date(text("date")?)?);
    Some(u64::try_from(until - now).unwrap_or(0))
}

/// An HTTP date (RFC 9110), seconds since 1970.
pub(crate) fn date(text: &str) -> Option<i64> {
    let date = httpdate::parse_http_date(text).ok()?;
    i64::try_from(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Sends a GET and reads the whole answer within `patience`.
pub(crate) async fn get<S>(stream: S, host: &str, path: &str, patience: Duration) -> Result<Reply, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = hyper::Request::builder()
        .uri(path)
        .header("host", host)
        .header("accept", "application/json")
        .header("user-agent", concat!("entra-preflight/", env!("CARGO_PKG_VERSION")))
        .body(Full::<Bytes>::default())
        .map_err(|error| (Outcome::Other, Some(error.to_string())))?;
    within(patience, converse(stream, request)).await
}

/// One request and its answer, of [`EXCHANGE`] bytes at most: hyper passes over 1xx replies without end, and parsing a flood of them would
/// keep a thread busy far beyond any patience.
pub(super) async fn converse<S>(stream: S, request: hyper::Request<Full<Bytes>>) -> Result<Reply, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD)
        .max_headers(100)
        .handshake(TokioIo::new(Bounded { stream, left: EXCHANGE }))
        .await
        .map_err(|error| classify(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| classify(&error))?;
        let (head, body) = response.into_parts();
        let body = read(body).await?;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    };
    // The connection is driven beside the exchange and ends with it: no task outlives its question.
    tokio::pin!(connection);
    tokio::pin!(exchange);
    let mut driven = false;
    loop {
        tokio::select! {
            reply = &mut exchange => return reply,
            _ = &mut connection, if !driven => driven = true,
        }
    }
}

/// A stream that ends in an error once it has given so many bytes.
struct Bounded<S> {
    stream: S,
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        match self.left.checked_sub(into.filled().len() - before) {
            Some(left) => self.left = left,
            None => {
                let text = format!("the answer is longer than {EXCHANGE} bytes");
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, text)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

async fn read(mut body: hyper::body::Incoming) -> Result<Vec<u8>, Failed> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| classify(&error))?;
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(data);
        }
        if read.len() > BODY {
            return Err((Outcome::TooLarge, Some(format!("the body is longer than {BODY} bytes"))));
        }
    }
    Ok(read)
}

pub(crate) fn classify(error: &hyper::Error) -> Failed {
    use std::error::Error as _;
    let mut source = error.source();
    let mut text = error.to_string();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            if io.kind() == io::ErrorKind::FileTooLarge {
                return (Outcome::TooLarge, Some(text));
            }
            let (outcome, _) = super::tls::stream_failed(io);
            if outcome != Outcome::Other {
                return (outcome, Some(text));
            }
        }
        source = cause.source();
    }
    let outcome = if error.is_parse() {
        Outcome::Garbage
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Outcome::Closed
    } else {
        Outcome::Other
    };
    (outcome, Some(text))
}

#[cfg(test)]
mod tests {
    use super::retry_after;

    #[test]
    fn a_pause_is_a_number_or_a_date() {
        let asked = |text: &'static str| {
            let mut headers = hyper::HeaderMap::new();
            headers.insert("date", "Tue, 24 Nov 2026 10:00:00 GMT".parse().expect("a value"));
            headers.insert("retry-after", text.parse().expect("a value"));
            retry_after(&headers)
        };
        for (text, expected) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("1000000000000", Some(1_000_000_000_000)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Tue, 24 Nov 2026 10:02:00 GMT", Some(120)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(251_606_786_399)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        assert_eq!(retry_after(&hyper::HeaderMap::new()), None);
    }
}
