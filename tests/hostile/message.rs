//! Bytes of the protocols, right and wrong: records of TLS, messages of PostgreSQL and DNS, replies of HTTP.

/// A TLS record of a type, with any length written before it.
pub fn record(kind: u8, length: u16, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], &length.to_be_bytes()[..], body].concat()
}

/// A ServerHello that answers this ClientHello with a version, a cipher suite and extensions of our choosing.
pub fn server_hello(client: &[u8], version: u16, random: [u8; 32], cipher: u16, extensions: &[u8]) -> Vec<u8> {
    // The session id stands behind the record's 5, the message's 4, the version's 2 and the random's 32 bytes.
    let session = client.get(43).and_then(|length| client.get(44..44 + usize::from(*length))).unwrap_or_default();
    let mut body = version.to_be_bytes().to_vec();
    body.extend_from_slice(&random);
    body.push(u8::try_from(session.len()).unwrap_or(0));
    body.extend_from_slice(session);
    body.extend_from_slice(&cipher.to_be_bytes());
    body.push(0);
    body.extend_from_slice(&short(extensions.len()));
    body.extend_from_slice(extensions);
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let message = [&[2], &length[1..], &body].concat();
    record(22, u16::try_from(message.len()).unwrap_or(0), &message)
}

/// The random by which a ServerHello is a HelloRetryRequest (RFC 8446, 4.1.3).
pub const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// A message of PostgreSQL with its true length.
pub fn pg(kind: u8, body: &[u8]) -> Vec<u8> {
    pg_of_length(kind, i32::try_from(body.len() + 4).unwrap_or(i32::MAX), body)
}

/// A message of PostgreSQL that claims a length.
pub fn pg_of_length(kind: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// An authentication request.
pub fn auth(code: i32, more: &[u8]) -> Vec<u8> {
    pg(b'R', &[&code.to_be_bytes(), more].concat())
}

/// An ErrorResponse of these fields.
pub fn pg_error(sqlstate: &str, text: &[u8]) -> Vec<u8> {
    pg(b'E', &[&b"SFATAL\0VFATAL\0C"[..], sqlstate.as_bytes(), b"\0M", text, b"\0Rauth_failed\0\0"].concat())
}

/// ParameterStatus.
pub fn parameter(name: &str, value: &[u8]) -> Vec<u8> {
    pg(b'S', &[name.as_bytes(), b"\0", value, b"\0"].concat())
}

/// A reply of HTTP with a body of JSON, and more headers.
pub fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The question of a DNS query: its bytes behind the header, up to and with type and class.
pub fn question(query: &[u8]) -> Vec<u8> {
    let mut at = 12;
    while let Some(length) = query.get(at).filter(|length| **length > 0) {
        at += usize::from(*length) + 1;
    }
    query.get(12..at + 5).unwrap_or_default().to_vec()
}

/// The record type that is asked for.
pub fn asked_type(query: &[u8]) -> u16 {
    let question = question(query);
    let at = question.len().saturating_sub(4);
    question.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// An answer: the query's id, flags, counts and whatever is to stand behind them.
pub fn dns(query: &[u8], flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let mut answer = query.get(..2).unwrap_or_default().to_vec();
    answer.extend_from_slice(&flags.to_be_bytes());
    answer.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    answer.extend_from_slice(body);
    answer
}

/// An A record of a name; 0xC00C points to the question.
pub fn a(name: &[u8], address: [u8; 4]) -> Vec<u8> {
    [name, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4], &address].concat()
}

pub fn cname(name: &[u8], target: &[u8]) -> Vec<u8> {
    [name, &[0, 5, 0, 1, 0, 0, 0, 60], &short(target.len()), target].concat()
}

/// A name of these labels, whole.
pub fn labels(labels: &[&[u8]]) -> Vec<u8> {
    let mut name: Vec<u8> = labels
        .iter()
        .flat_map(|label| std::iter::once(u8::try_from(label.len()).unwrap_or(63)).chain(label.iter().copied()))
        .collect();
    name.push(0);
    name
}
