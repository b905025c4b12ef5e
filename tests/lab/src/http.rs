//! HTTP/1.1 of a server, by hand and bounded: enough for a GET, a small POST and a CONNECT.

use std::io;

use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const HEAD: usize = 32 * 1024;
const BODY: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The target's path and its query.
    pub fn path(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

/// Reads one request; `None` when the client is gone or does not speak HTTP. `buffer` keeps what came ahead.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > HEAD || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length: usize = request.header("content-length").map_or(Some(0), |value| value.parse().ok())?;
    if length > BODY {
        return None;
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, headers: vec![("Content-Type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Response {
        Response::new(status, "application/json; charset=utf-8", body.to_string())
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Response {
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The head, its Date off by so many seconds, for a body of `length` bytes.
    pub fn head(&self, date_offset: i64, length: usize) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Length: {length}\r\n",
            self.status,
            reason(self.status),
            date(date_offset)
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub async fn write<S: AsyncWrite + Unpin>(&self, stream: &mut S, date_offset: i64) -> io::Result<()> {
        let mut bytes = self.head(date_offset, self.body.len());
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes).await?;
        stream.flush().await
    }
}

/// A Date header: now, off by so many seconds.
fn date(offset: i64) -> String {
    let at = OffsetDateTime::now_utc() + time::Duration::seconds(offset);
    let format = time::format_description::parse_borrowed::<2>(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT",
    );
    format.ok().and_then(|format| at.format(&format).ok()).unwrap_or_default()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// Ends a conversation in peace: says goodbye and reads what still comes, so that no RST overtakes the answer.
pub async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let _ = stream.shutdown().await;
    linger(stream).await;
}

/// Says nothing until the client goes, or for a minute.
pub async fn linger<S: AsyncRead + Unpin>(stream: &mut S) {
    let drain = async {
        let mut sink = vec![0; 4096];
        while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(60), drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_a_post_and_what_came_ahead() {
        let mut stream =
            &b"POST /t/oauth2/v2.0/token?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=bGET / HTTP/1.1\r\n\r\n"
                [..];
        let mut buffer = Vec::new();
        let request = read(&mut stream, &mut buffer).await.expect("a request");
        assert_eq!(
            (request.method.as_str(), request.path(), &request.body[..]),
            ("POST", ("/t/oauth2/v2.0/token", "x=1"), &b"a=b"[..])
        );
        assert_eq!(read(&mut stream, &mut buffer).await.expect("another").method, "GET");
        assert!(read(&mut stream, &mut buffer).await.is_none());
    }

    #[test]
    fn dates_are_http_dates() {
        let date = date(0);
        assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    }
}
