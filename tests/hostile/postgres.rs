//! A PostgreSQL that is none, before TLS: nothing may be told to it.

use super::act::{Act, ENDLESS, Shown, hostile_text, repeat, send, without_nul};
use super::message::{auth, pg, pg_error, pg_of_length};
use super::row::{At, Row, play, row};
use super::tls::SSL_REQUEST;

const NO_TLS: &[(&str, &str)] = &[("server.tls", "fail"), ("https.login", "pass"), ("login.session", "skip")];

fn before(acts: Vec<Act>) -> At {
    At::Server([vec![SSL_REQUEST], acts].concat())
}

fn clear() -> Vec<Row> {
    vec![
        row("HT01 silence", before(vec![Act::Deaf]), NO_TLS, "no answer within"),
        row("HT02 never reads", At::Server(vec![Act::Deaf]), NO_TLS, ""),
        row("HT06 a banner of escapes", At::Server(vec![send(hostile_text()), Act::Deaf]), NO_TLS, ""),
        row("HT12 closed", before(vec![Act::Close]), NO_TLS, ""),
        row("HT12 reset", before(vec![Act::Reset]), NO_TLS, ""),
        row(
            "HP01 S and an error behind it",
            before(vec![send([&b"S"[..], &pg_error("28000", b"injected")].concat()), Act::Deaf]),
            NO_TLS,
            "bytes in clear behind",
        ),
        row("HP02 N, and on", before(vec![send("N"), send(auth(3, b"")), Act::Deaf]), NO_TLS, "no TLS"),
        row(
            "HP02 N, then what a session would be",
            before(vec![send([&b"N"[..], &auth(0, b""), &pg(b'Z', b"I")].concat()), Act::Deaf]),
            NO_TLS,
            "no TLS",
        ),
        row("HP04 G", before(vec![send("G"), Act::Deaf]), NO_TLS, ""),
        row("HP04 HTTP", before(vec![send("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::Close]), NO_TLS, "HTTP/1.1 400"),
        row("HP04 MySQL", before(vec![send([&[0x4a, 0, 0, 0, 10][..], b"8.0.36\0"].concat()), Act::Deaf]), NO_TLS, ""),
        row("HP04 endless noise", before(vec![repeat(vec![0x9B; 4096], ENDLESS)]), NO_TLS, ""),
        row(
            "HP05 an error that does not end",
            before(vec![send([&pg_of_length(b'E', 60_000, b"SFATAL\0")[..]].concat()), Act::Deaf]),
            NO_TLS,
            "",
        ),
        row(
            "HP05 an error of 2 GB",
            before(vec![send(pg_of_length(b'E', i32::MAX, b"SFATAL\0")), Act::Deaf]),
            NO_TLS,
            "",
        ),
        row(
            "HP05 an error of negative length",
            before(vec![send(pg_of_length(b'E', -5, b"SFATAL\0")), Act::Deaf]),
            NO_TLS,
            "",
        ),
        row("HP05 an error of no fields", before(vec![send(pg(b'E', b"\0")), Act::Close]), NO_TLS, ""),
        row(
            "HP05 an error of version 2",
            before(vec![send("EFATAL: unsupported frontend protocol\n\0"), Act::Close]),
            NO_TLS,
            "",
        ),
        row(
            "HP05 escapes in an error",
            before(vec![send(pg_error("53300", &without_nul(hostile_text()))), Act::Close]),
            NO_TLS,
            "",
        ),
        row("HP08 R3 before TLS", before(vec![send(auth(3, b"")), Act::Deaf]), NO_TLS, ""),
    ]
}

/// One of two addresses is hostile: the other is judged all the same, and the token goes to one of them at most.
fn of_two() -> Vec<Row> {
    let judged: &[(&str, &str)] = &[("server.tls", "warn|fail"), ("login.session", "pass")];
    vec![
        row("HP29 one address speaks no TLS", At::OneAddress(vec![SSL_REQUEST, send("N"), Act::Deaf]), judged, ""),
        row(
            "HP29 one address injects",
            At::OneAddress(vec![SSL_REQUEST, send([&b"S"[..], &auth(3, b"")].concat()), Act::Deaf]),
            judged,
            "",
        ),
        row("HP29 one address is silent", At::OneAddress(vec![SSL_REQUEST, Act::Deaf]), judged, ""),
        row(
            "HP29 one address shows names of its own",
            At::OneAddress(vec![SSL_REQUEST, send("S"), Act::Tls(Shown::Escapes)]),
            judged,
            "",
        ),
        row(
            "HP29 one address floods",
            At::OneAddress(vec![SSL_REQUEST, repeat(vec![b'x'; 4096], ENDLESS)]),
            judged,
            "",
        ),
        row(
            "HP29 one address asks for the token in clear",
            At::OneAddress(vec![SSL_REQUEST, send(auth(3, b"")), Act::Deaf]),
            judged,
            "",
        ),
    ]
}

#[test]
fn hostile_postgres_in_clear() {
    play(clear().into_iter().chain(of_two()).collect());
}
