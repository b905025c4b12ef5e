//! A GET in clear to a managed identity endpoint of this machine or its network: no proxy, no redirect, no TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use tokio::net::TcpStream;

use super::http::{self, Reply};
use super::{Failed, failed, within};
use crate::failure::Outcome;
use crate::secret::Secret;

/// A token reply or an instance document is far smaller.
const BODY: usize = 64 * 1024;

/// A value of a query string (RFC 3986, unreserved characters kept).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Asks with the header `Metadata: true` (and one that holds a secret: App Service's own, or Arc's proof) and reads at most [`BODY`] bytes within the patience.
pub(crate) async fn get(
    url: &str,
    identity: Option<(&str, &Secret)>,
    connect: Duration,
    patience: Duration,
) -> Result<Reply, Failed> {
    within(patience, async {
        let (address, path) = place(url).ok_or_else(|| (Outcome::Other, Some(format!("{url} names no address"))))?;
        let stream =
            within(connect, async { TcpStream::connect(address).await.map_err(|error| failed(&error)) }).await?;
        let _ = stream.set_nodelay(true);
        let mut request = hyper::Request::get(path)
            .header("host", address.to_string().trim_end_matches(":80"))
            .header("accept", "*/*")
            .header("user-agent", concat!("entra-preflight/", env!("CARGO_PKG_VERSION")))
            .header("metadata", "true");
        if let Some((name, identity)) = identity {
            request = request.header(name, identity.expose());
        }
        let request =
            request.body(Full::<Bytes>::default()).map_err(|error| (Outcome::Other, Some(error.to_string())))?;
        let reply = http::converse(stream, request).await?;
        if reply.body.len() > BODY {
            return Err((Outcome::TooLarge, Some(format!("the body is longer than {BODY} bytes"))));
        }
        Ok(reply)
    })
    .await
}

/// The address and the path of an http:// URL. Whoever takes these URLs in has made sure that they name this machine or its network.
fn place(url: &str) -> Option<(SocketAddr, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let local = authority.strip_prefix("localhost").map(|port| format!("{}{port}", Ipv4Addr::LOCALHOST));
    let authority = local.as_deref().unwrap_or(authority);
    let bare = authority.trim_start_matches('[').trim_end_matches(']');
    let address = authority.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse().ok()?, 80)))?;
    Some((address, path))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn finds_the_address() {
        for (url, address, path) in [
            ("http://169.254.169.254/metadata/x?y=/z", "169.254.169.254:80", "/metadata/x?y=/z"),
            ("http://localhost:42342/msi", "127.0.0.1:42342", "/msi"),
            ("http://[fe80::1]/a", "[fe80::1]:80", "/a"),
            ("http://[::1]:81/a", "[::1]:81", "/a"),
        ] {
            assert_eq!(place(url), Some((address.parse().expect(address), path)), "{url}");
        }
        for bad in ["https://127.0.0.1/", "http://example.com/", "http://127.0.0.1", "http://127.0.0.1:x/"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
