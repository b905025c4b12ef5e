//! SOCKS5 (RFC 1928) with user and password (RFC 1929): asking a proxy for a connection. Every reply is kept as a word.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::{Failed, failed};
use crate::failure::Outcome;
use crate::target::proxy::Proxy;

const VERSION: u8 = 5;
/// Methods of the greeting.
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xFF;

/// Whither a connection is to lead: the host by name, or where the name leads when it is resolved here.
pub(crate) struct Goal {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) address: Option<SocketAddr>,
}

impl Goal {
    /// `HOST:PORT`, or `ADDRESS:PORT` when the name was resolved here.
    pub(crate) fn told(&self) -> String {
        self.address.map_or_else(|| format!("{}:{}", self.host, self.port), |address| address.to_string())
    }
}

/// Asks for the connection. What the proxy says no with is left in `said`, as a word.
pub(super) async fn ask(
    stream: &mut TcpStream,
    proxy: &Proxy,
    goal: &Goal,
    said: &mut Option<String>,
) -> Result<(), Failed> {
    let credentials = proxy.credentials();
    let greeting: &[u8] =
        if credentials.is_some() { &[VERSION, 2, NO_LOGIN, PASSWORD] } else { &[VERSION, 1, NO_LOGIN] };
    stream.write_all(greeting).await.map_err(|error| failed(&error))?;
    match versioned(stream).await? {
        NO_LOGIN => {}
        PASSWORD if credentials.is_some() => login(stream, credentials, said).await?,
        NONE_ACCEPTABLE => return Err(no(said, "no-acceptable-method", "none of our ways to sign in is accepted")),
        other => return Err(garbage(&format!("the proxy chose method {other}, which was not offered"))),
    }
    stream.write_all(&request(goal)).await.map_err(|error| failed(&error))?;
    let reply = versioned(stream).await?;
    if let Some((word, text)) = refusal(reply) {
        return Err(no(said, word, &format!("SOCKS5 reply {reply}: {text}")));
    }
    // The address that the proxy connects from; nobody needs it, and the tunnel begins behind it.
    let mut head = [0; 2];
    read(stream, &mut head).await?;
    let length = match head[1] {
        1 => 4,
        4 => 16,
        3 => {
            let mut length = [0];
            read(stream, &mut length).await?;
            usize::from(length[0])
        }
        other => return Err(garbage(&format!("a reply with an address of type {other}"))),
    };
    read(stream, &mut vec![0; length + 2]).await
}

/// The byte behind the version, when the version is right.
async fn versioned(stream: &mut TcpStream) -> Result<u8, Failed> {
    let mut bytes = [0; 2];
    read(stream, &mut bytes[..1]).await?;
    if bytes[0] != VERSION {
        return Err(garbage(&format!("not a SOCKS5 reply: it begins with {:?}", super::quote(&bytes[..1]))));
    }
    read(stream, &mut bytes[1..]).await?;
    Ok(bytes[1])
}

/// RFC 1929. Whoever reads proxy URLs has seen to it that both are at most 255 bytes long.
async fn login(
    stream: &mut TcpStream,
    credentials: Option<(&str, &crate::secret::Secret)>,
    said: &mut Option<String>,
) -> Result<(), Failed> {
    let Some((user, password)) = credentials else { return Ok(()) };
    let mut message = Zeroizing::new(vec![1]);
    for text in [user, password.expose()] {
        message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        message.extend_from_slice(text.as_bytes().get(..255).unwrap_or(text.as_bytes()));
    }
    stream.write_all(&message).await.map_err(|error| failed(&error))?;
    let mut reply = [0; 2];
    read(stream, &mut reply).await?;
    match reply {
        [1 | VERSION, 0] => Ok(()),
        [1 | VERSION, status] => {
            Err(no(said, "login-refused", &format!("user and password are refused (status {status})")))
        }
        _ => Err(garbage("the answer to user and password is not of RFC 1929")),
    }
}

fn request(goal: &Goal) -> Vec<u8> {
    let mut request = vec![VERSION, 1, 0];
    match goal.address.map(|address| address.ip()) {
        Some(std::net::IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Some(std::net::IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        None => {
            // A host name has at most 253 bytes.
            request.extend_from_slice(&[3, u8::try_from(goal.host.len()).unwrap_or(u8::MAX)]);
            request.extend_from_slice(goal.host.as_bytes());
        }
    }
    request.extend_from_slice(&goal.port.to_be_bytes());
    request
}

/// RFC 1928, section 6: the word, and the document's own text.
fn refusal(reply: u8) -> Option<(&'static str, &'static str)> {
    Some(match reply {
        0 => return None,
        1 => ("general-failure", "general SOCKS server failure"),
        2 => ("not-allowed", "connection not allowed by ruleset"),
        3 => ("network-unreachable", "network unreachable"),
        4 => ("host-unreachable", "host unreachable"),
        5 => ("connection-refused", "connection refused"),
        6 => ("ttl-expired", "TTL expired"),
        7 => ("command-unsupported", "command not supported"),
        8 => ("address-unsupported", "address type not supported"),
        _ => ("unassigned", "unassigned"),
    })
}

fn no(said: &mut Option<String>, word: &str, text: &str) -> Failed {
    *said = Some(word.to_owned());
    (Outcome::Rejected, Some(text.to_owned()))
}

fn garbage(text: &str) -> Failed {
    (Outcome::Garbage, Some(text.to_owned()))
}

async fn read(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<(), Failed> {
    stream.read_exact(bytes).await.map(|_| ()).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::{Goal, refusal, request};

    #[test]
    fn requests_name_the_host_or_its_address() {
        let goal = |address: Option<&str>| Goal {
            host: "a.example".to_owned(),
            port: 443,
            address: address.map(|text| text.parse().expect("an address")),
        };
        assert_eq!(request(&goal(None)), b"\x05\x01\x00\x03\x09a.example\x01\xbb");
        assert_eq!(request(&goal(Some("192.0.2.7:443"))), b"\x05\x01\x00\x01\xc0\x00\x02\x07\x01\xbb");
        assert_eq!(request(&goal(Some("[::1]:443")))[3], 4);
        assert_eq!(goal(None).told(), "a.example:443");
    }

    #[test]
    fn every_reply_has_a_word() {
        assert!(refusal(0).is_none());
        assert_eq!(refusal(2).map(|(word, _)| word), Some("not-allowed"));
        assert_eq!(refusal(200).map(|(word, _)| word), Some("unassigned"));
    }
}
