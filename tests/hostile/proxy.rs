//! A proxy that answers CONNECT, or SOCKS5, with anything but a tunnel.

use super::act::{Act, ENDLESS, drip, hostile_text, repeat, send};
use super::row::{At, Row, play, row};

/// Both Entra hosts lie behind the proxy; the server does not.
const FAILS: &[(&str, &str)] =
    &[("https.login", "fail"), ("https.graph", "fail"), ("server.tls", "pass"), ("login.session", "pass")];

fn after_connect(acts: Vec<Act>) -> At {
    At::Proxy([vec![Act::Expect(b"CONNECT ")], acts].concat())
}

fn says(bytes: impl Into<Vec<u8>>) -> At {
    after_connect(vec![send(bytes), Act::Close])
}

fn table() -> Vec<Row> {
    vec![
        row("HT01 silence", after_connect(vec![Act::Deaf]), FAILS, "no answer within"),
        row("HT03 a byte every 60 ms", after_connect(vec![drip(b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec(), 60)]), FAILS, "no answer within"),
        row("HT04 endless noise", after_connect(vec![repeat(vec![0xA5; 4096], ENDLESS)]), FAILS, "not an HTTP reply"),
        row("HT06 a banner of escapes", says(hostile_text()), FAILS, ""),
        row("HT12 closed", after_connect(vec![Act::Close]), FAILS, ""),
        row("HT12 reset", after_connect(vec![Act::Reset]), FAILS, ""),
        row("HT14 a TLS alert", says([21, 3, 1, 0, 2, 2, 40]), FAILS, ""),
        row("HH01 no status", says("HTTP/1.1\r\n\r\n"), FAILS, ""),
        row("HH01 a status of 99999", says("HTTP/1.1 99999 Yes\r\n\r\n"), FAILS, ""),
        row("HH01 a status below 100", says("HTTP/1.1 7 Yes\r\n\r\n"), FAILS, ""),
        row("HH02 a head of colon-less lines", says("HTTP/1.1 403 No\r\nnonsense\r\n folded\r\n\r\n"), FAILS, ""),
        row("HH02 NUL and CR in a head", says("HTTP/1.1 403 No\r\nVia: a\0b\rc\r\n\r\n"), FAILS, ""),
        row("HH04 an endless head", after_connect(vec![send("HTTP/1.1 200 OK\r\nX-A: "), repeat(vec![b'a'; 4096], ENDLESS)]), FAILS, "longer than"),
        row("HH04 endless short headers", after_connect(vec![send("HTTP/1.1 200 OK\r\n"), repeat("X-A: b\r\n".repeat(500), ENDLESS)]), FAILS, "longer than"),
        row("HH09 1xx for ever", after_connect(vec![repeat("HTTP/1.1 100 Continue\r\n\r\n".repeat(100), ENDLESS)]), FAILS, ""),
        row("HH10 302", says("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), FAILS, "HTTP 302"),
        row("HH16 200 with a body", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), FAILS, ""),
        row("HH16 200 with a length and no tunnel", after_connect(vec![send("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"), Act::Close]), FAILS, ""),
        row("HH16 200, and early bytes of TLS", says([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[22, 3, 3, 0, 4, 2, 0, 0, 0]].concat()), FAILS, ""),
        row("HH16 200, and noise instead of TLS", after_connect(vec![send("HTTP/1.1 200 OK\r\n\r\n"), Act::Expect(&[22]), send(hostile_text()), Act::Close]), FAILS, ""),
        row("HH16 200, and a silent tunnel", after_connect(vec![send("HTTP/1.1 200 OK\r\n\r\n"), Act::Deaf]), FAILS, "no answer within"),
        row("HH17 407 with endless chunks", after_connect(vec![send("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nTransfer-Encoding: chunked\r\n\r\n"), repeat("1\r\nx\r\n".repeat(500), ENDLESS)]), FAILS, "HTTP 407"),
        row("HH17 407 with 90 challenges", says(format!("HTTP/1.1 407 No\r\n{}\r\n", "Proxy-Authenticate: Negotiate \u{1b}[2J\r\n".repeat(90))), FAILS, "HTTP 407"),
        row("HH19 503, Retry-After of 30000 years", says("HTTP/1.1 503 No\r\nRetry-After: 1000000000000\r\n\r\n"), FAILS, "HTTP 503"),
        row("HH21 escapes in headers and body", says([b"HTTP/1.1 403 \x1b[2J\r\nServer: \x9b31m\xff\r\nX-A\x1b]0;x\x07: b\r\nVia: \xe2\x80\xaeevil\r\n\r\n", &hostile_text()[..]].concat()), FAILS, "HTTP 403"),
        row("HH22 our credentials, said back", after_connect(vec![Act::Echo(b"HTTP/1.1 407 No\r\nX-Debug: ".to_vec(), b"\r\n\r\n".to_vec()), Act::Close]), FAILS, "HTTP 407"),
        row("HH22 our credentials in the body", after_connect(vec![Act::Echo(b"HTTP/1.1 403 No\r\n\r\n<pre>".to_vec(), b"</pre>".to_vec()), Act::Close]), FAILS, "HTTP 403"),
        row("HH22 our credentials instead of HTTP", after_connect(vec![Act::Echo(b"you said: ".to_vec(), Vec::new()), Act::Close]), FAILS, "not an HTTP reply"),
    ]
}

#[test]
fn hostile_proxy() {
    play(table());
}

fn after_greeting(acts: Vec<Act>) -> At {
    At::Socks([vec![Act::Expect(&[5, 2])], acts].concat())
}

fn says_to_greeting(bytes: impl Into<Vec<u8>>) -> At {
    after_greeting(vec![send(bytes), Act::Close])
}

/// Login accepted; then what is said to the request.
fn says_to_request(bytes: impl Into<Vec<u8>>) -> At {
    after_greeting(vec![send([5, 0]), Act::Expect(&[5, 1, 0, 3]), send(bytes), Act::Close])
}

fn socks() -> Vec<Row> {
    vec![
        row("HT01 silence to the greeting", after_greeting(vec![Act::Deaf]), FAILS, "no answer within"),
        row(
            "HT03 a byte every 60 ms",
            after_greeting(vec![drip([&[5, 0, 5, 0, 0, 3, 255][..], &[b'a'; 255]].concat(), 60)]),
            FAILS,
            "no answer within",
        ),
        row("HT04 endless noise", after_greeting(vec![repeat(vec![0xA5; 4096], ENDLESS)]), FAILS, "not a SOCKS5 reply"),
        row("HT06 a banner of escapes", says_to_greeting(hostile_text()), FAILS, ""),
        row("HT12 closed after the greeting", after_greeting(vec![Act::Close]), FAILS, ""),
        row("HT12 reset after the greeting", after_greeting(vec![Act::Reset]), FAILS, ""),
        row("HS01 version 4", says_to_greeting([4, 0]), FAILS, "not a SOCKS5 reply"),
        row("HS02 a method that nobody offered", says_to_greeting([5, 1]), FAILS, "was not offered"),
        row("HS03 no method accepted", says_to_greeting([5, 255]), FAILS, "none of our ways"),
        row("HS04 a login reply of another protocol", says_to_greeting([5, 2, 9, 9]), FAILS, "RFC 1929"),
        row("HS05 the login refused", says_to_greeting([5, 2, 1, 77]), FAILS, "are refused"),
        row("HS06 half a reply", says_to_request([5, 0, 0]), FAILS, ""),
        row(
            "HS07 an address of no known type",
            says_to_request([5, 0, 0, 9, 1, 2, 3, 4, 0, 0]),
            FAILS,
            "address of type 9",
        ),
        row("HS08 a reply that nobody assigned", says_to_request([5, 200]), FAILS, "SOCKS5 reply 200"),
        row(
            "HS09 a tunnel of noise",
            says_to_request([&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &hostile_text()[..]].concat()),
            FAILS,
            "",
        ),
        row(
            "HS10 a silent tunnel",
            after_greeting(vec![
                send([5, 0]),
                Act::Expect(&[5, 1, 0, 3]),
                send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
                Act::Deaf,
            ]),
            FAILS,
            "no answer within",
        ),
        row(
            "HS11 our credentials, said back",
            after_greeting(vec![send([5, 2]), Act::Expect(&[1]), Act::Echo(Vec::new(), Vec::new()), Act::Close]),
            FAILS,
            "",
        ),
    ]
}

#[test]
fn hostile_socks() {
    play(socks());
}
