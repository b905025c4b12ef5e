//! TCP and TLS of the login host and of the server: silence, drips, floods, other protocols, broken and excessive handshakes.

use super::act::{Act, ENDLESS, ESCAPES, Shown, drip, hostile_text, repeat, send};
use super::message::{RETRY, record, server_hello};
use super::row::{At, Row, play, row};

/// The ClientHello, as far as it matters.
const HELLO: Act = Act::Expect(&[0x16, 3, 1]);
/// SSLRequest: eight bytes, the code 80877103.
pub const SSL_REQUEST: Act = Act::Expect(&[0, 0, 0, 8, 4, 210, 22, 47]);

const LOGIN_FAILS: &[(&str, &str)] = &[("https.login", "fail"), ("https.graph", "pass"), ("login.session", "pass")];
const SERVER_FAILS: &[(&str, &str)] = &[("server.tls", "fail"), ("https.login", "pass"), ("login.session", "skip")];

const TLS13: &[u8] = &[0, 43, 0, 2, 3, 4];
/// A key share of X25519 that is no point of use.
const X25519: [u8; 40] = {
    let mut share = [0; 40];
    share[1] = 51;
    share[3] = 36;
    share[5] = 29;
    share[7] = 32;
    share
};

/// What goes wrong in a handshake: what a peer does once it has read the ClientHello.
fn handshakes() -> Vec<(&'static str, Vec<Act>, &'static str)> {
    vec![
        ("HT01 silence", vec![HELLO, Act::Deaf], "no answer within"),
        ("HT03 a byte every 900 ms", vec![HELLO, drip(record(22, 16_000, &[2; 64]), 900)], "no answer within"),
        ("HT03 a byte every 40 ms", vec![HELLO, drip(record(22, 16_000, &[2; 600]), 40)], "no answer within"),
        (
            "HT04 endless noise",
            vec![HELLO, repeat((0..=255).cycle().skip(7).take(8192).collect::<Vec<u8>>(), ENDLESS)],
            "",
        ),
        ("HT04 an endless certificate", vec![HELLO, repeat(record(22, 16_384, &[11; 16_384]), ENDLESS)], ""),
        ("HT06 a banner with escapes", vec![HELLO, send(hostile_text()), Act::Close], ""),
        ("HT07 a record of 65535 bytes", vec![HELLO, send(record(22, 0xFFFF, &[2; 400])), Act::Deaf], ""),
        ("HT07 application data first", vec![HELLO, send(record(23, 64, &[0; 64])), Act::Deaf], ""),
        ("HT07 a record of an unknown type", vec![HELLO, send(record(99, 4, &[0; 4])), Act::Deaf], ""),
        ("HT08 SSL 3", vec![HELLO, Act::Answer(|hello| server_hello(hello, 0x0300, [7; 32], 0x0005, &[]))], ""),
        ("HT08 TLS 1.1", vec![HELLO, Act::Answer(|hello| server_hello(hello, 0x0302, [7; 32], 0x002F, &[]))], ""),
        (
            "HT08 a version that was not offered",
            vec![HELLO, Act::Answer(|hello| server_hello(hello, 0x0303, [7; 32], 0x1301, &[0, 43, 0, 2, 3, 9]))],
            "",
        ),
        (
            "HT08 a cipher that was not offered",
            vec![HELLO, Act::Answer(|hello| server_hello(hello, 0x0303, [7; 32], 0x0000, TLS13))],
            "",
        ),
        (
            "HT08 a group that was not offered",
            vec![
                HELLO,
                Act::Answer(|hello| {
                    let share: [u8; 12] = [0, 51, 0, 8, 0x7F, 0xFF, 0, 4, 1, 2, 3, 4];
                    server_hello(hello, 0x0303, [7; 32], 0x1301, &[TLS13, &share].concat())
                }),
            ],
            "",
        ),
        (
            "HT08 a key share of zeros",
            vec![HELLO, Act::Answer(|hello| server_hello(hello, 0x0303, [7; 32], 0x1301, &[TLS13, &X25519].concat()))],
            "",
        ),
        (
            "HT08 start over, twice",
            vec![
                HELLO,
                // secp384r1: offered, but not shared.
                Act::Answer(|hello| {
                    server_hello(hello, 0x0303, RETRY, 0x1301, &[TLS13, &[0, 51, 0, 2, 0, 24]].concat())
                }),
                Act::Expect(b""),
                Act::Answer(|hello| {
                    server_hello(hello, 0x0303, RETRY, 0x1301, &[TLS13, &[0, 51, 0, 2, 0, 24]].concat())
                }),
            ],
            "",
        ),
        (
            "HT08 start over with an endless cookie",
            vec![
                HELLO,
                Act::Answer(|hello| {
                    let cookie = [&[0, 44, 0xFF, 0x00, 0xFE, 0xFE][..], &[b'c'; 0x3000]].concat();
                    server_hello(hello, 0x0303, RETRY, 0x1301, &[TLS13, &cookie].concat())
                }),
                Act::Close,
            ],
            "",
        ),
        (
            "HT09 a certificate message of 16 MiB",
            vec![
                HELLO,
                send(record(22, 16_384, &[&[11, 0xFF, 0xFF, 0xFF][..], &[0; 16_380]].concat())),
                repeat(record(22, 16_384, &[0; 16_384]), ENDLESS),
            ],
            "",
        ),
        ("HT09 a hundred certificates", vec![Act::Tls(Shown::Hundred)], ""),
        ("HT09 1500 names", vec![Act::Tls(Shown::Names(1500)), Act::Deaf], ""),
        ("HT09 10000 names", vec![Act::Tls(Shown::Names(10_000)), Act::Deaf], ""),
        ("HT11 escapes in the names", vec![Act::Tls(Shown::Escapes)], "other name|not valid for name"),
        ("HT12 closed at once", vec![HELLO, Act::Close], ""),
        ("HT12 reset at once", vec![HELLO, Act::Reset], ""),
        ("HT12 closed inside a record", vec![HELLO, send(record(22, 4000, &[2; 100])), Act::Close], ""),
        ("HT12 goodbye right after the handshake", vec![Act::Tls(Shown::Good), Act::Close], ""),
        ("HT13 endless empty records", vec![HELLO, repeat(record(22, 0, &[]).repeat(800), ENDLESS)], ""),
        ("HT13 endless warnings", vec![HELLO, repeat(record(21, 2, &[1, 90]).repeat(800), ENDLESS)], ""),
        ("HT13 endless ChangeCipherSpec", vec![HELLO, repeat(record(20, 1, &[1]).repeat(800), ENDLESS)], ""),
        ("HT13 endless HelloRequest", vec![HELLO, repeat(record(22, 4, &[0; 4]).repeat(800), ENDLESS)], ""),
        ("HT13 20000 tickets", vec![Act::Tls(Shown::Tickets), Act::Close], ""),
        ("HT14 an alert in clear", vec![HELLO, send(record(21, 2, &[2, 40])), Act::Close], "HandshakeFailure"),
        ("HT14 an alert of an unknown kind", vec![HELLO, send(record(21, 2, &[9, 222])), Act::Close], ""),
        (
            "HT14 HTTP in clear",
            vec![HELLO, send("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>"), Act::Close],
            "",
        ),
    ]
}

/// What is wrong before the ClientHello, at the login host.
fn first_bytes() -> Vec<(&'static str, Vec<Act>)> {
    vec![
        ("HT02 never reads", vec![Act::Deaf]),
        ("HT06 a banner before anybody asked", vec![send(format!("220 {ESCAPES}\r\n")), Act::Deaf]),
        ("HT12 closed before a word", vec![Act::Close]),
        ("HT12 reset before a word", vec![Act::Reset]),
    ]
}

#[test]
fn hostile_tls_of_the_login_host() {
    let mut table: Vec<Row> = Vec::new();
    for (name, script, says) in handshakes() {
        table.push(row(
            format!("login {name}"),
            At::Login(script),
            LOGIN_FAILS,
            says.split('|').next_back().unwrap_or(""),
        ));
    }
    table.extend(
        first_bytes()
            .into_iter()
            .map(|(name, script)| row(format!("login {name}"), At::Login(script), LOGIN_FAILS, "")),
    );
    play(table);
}

#[test]
fn hostile_tls_of_the_server() {
    let mut table: Vec<Row> = Vec::new();
    for (name, script, says) in handshakes() {
        let script = [vec![SSL_REQUEST, send("S")], script].concat();
        // A verified handshake is all that this check asks for; the sign-in pays for what follows.
        let verified = name.contains("right after") || name.contains("tickets") || name.contains("1500");
        let checks =
            if verified { &[("login.session", "fail|unknown|skip"), ("https.login", "pass")] } else { SERVER_FAILS };
        table.push(row(
            format!("server {name}"),
            At::Server(script),
            checks,
            says.split('|').next_back().unwrap_or(""),
        ));
    }
    play(table);
}
