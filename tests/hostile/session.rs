//! A PostgreSQL behind a verified certificate that misbehaves all the same: at the start, after the token, in the session. It may have the
//! token once.

use super::act::{Act, ENDLESS, ESCAPES, Shown, drip, hostile_text, repeat, send, without_nul};
use super::message::{auth, parameter, pg, pg_error, pg_of_length};
use super::row::{At, Row, play, row};
use super::tls::SSL_REQUEST;

/// TLS is proven, the sign-in is not.
const NO_SESSION: &[(&str, &str)] = &[("server.tls", "pass"), ("https.login", "pass"), ("login.session", "fail|skip")];
const METHOD: &[(&str, &str)] = &[("server.tls", "pass"), ("login.method", "fail"), ("login.session", "skip")];
const TOKEN: &[(&str, &str)] = &[("login.method", "pass"), ("login.token", "fail"), ("login.session", "skip")];
const SESSION: &[(&str, &str)] = &[("login.token", "pass"), ("login.session", "fail")];
const PASSES: &[(&str, &str)] = &[("login.session", "pass")];

/// After SSLRequest, a verified handshake and the startup message.
fn started(acts: Vec<Act>) -> Vec<Act> {
    [vec![SSL_REQUEST, send("S"), Act::Tls(Shown::Good), Act::Expect(&[0, 0])], acts].concat()
}

/// After the cleartext request and the token.
fn told(acts: Vec<Act>) -> At {
    At::Server(started([vec![send(auth(3, b"")), Act::Expect(b"p")], acts].concat()))
}

fn instead(acts: Vec<Act>) -> At {
    At::Server(started(acts))
}

/// After authentication, before the session is ready.
fn trusted(acts: Vec<Act>) -> At {
    told([vec![send(auth(0, b""))], acts].concat())
}

/// A session that is ready, and a query that came.
fn asked(acts: Vec<Act>) -> At {
    trusted([vec![send(pg(b'Z', b"I")), Act::Expect(b"Q")], acts].concat())
}

fn fields(values: &[&[u8]]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap_or(0).to_be_bytes().to_vec();
    for value in values {
        body.extend(i32::try_from(value.len()).unwrap_or(0).to_be_bytes());
        body.extend_from_slice(value);
    }
    pg(b'D', &body)
}

fn done() -> Vec<u8> {
    [pg(b'C', b"SELECT 1\0"), pg(b'Z', b"I")].concat()
}

fn startup() -> Vec<Row> {
    let sasl = |body: &str| {
        vec![
            send(auth(10, b"SCRAM-SHA-256\0\0")),
            Act::Sleep(std::time::Duration::from_millis(50)),
            send(auth(11, body.as_bytes())),
        ]
    };
    vec![
        row("HT01 silence in TLS", instead(vec![Act::Deaf]), NO_SESSION, "no answer within"),
        row(
            "HT03 a byte every 60 ms in TLS",
            instead(vec![drip(parameter("a", &[b'x'; 200]), 60)]),
            NO_SESSION,
            "no answer within",
        ),
        row("HT12 closed in TLS", instead(vec![Act::Close]), NO_SESSION, ""),
        row("HT12 reset in TLS", instead(vec![Act::Reset]), NO_SESSION, ""),
        row("HP06 a message of no kind", instead(vec![send(pg(0xFF, b"x")), Act::Deaf]), NO_SESSION, ""),
        row("HP06 an unknown authentication", instead(vec![send(auth(4711, b"")), Act::Deaf]), METHOD, ""),
        row("HP06 an authentication of one byte", instead(vec![send(pg(b'R', b"\0")), Act::Deaf]), NO_SESSION, ""),
        row("HP07 MD5", instead(vec![send(auth(5, b"salt")), Act::Deaf]), METHOD, ""),
        row("HP07 MD5 without its salt", instead(vec![send(auth(5, b"")), Act::Deaf]), NO_SESSION, ""),
        row("HP07 GSS", instead(vec![send(auth(7, b"")), Act::Deaf]), METHOD, ""),
        row("HP07 SSPI", instead(vec![send(auth(9, b"")), Act::Deaf]), METHOD, ""),
        row("HP11 SCRAM of 2 billion rounds", instead(sasl("r=abc,s=QUJD,i=2000000000")), METHOD, ""),
        row("HP11 SCRAM of no rounds", instead(sasl("r=abc,s=QUJD,i=0")), METHOD, ""),
        row(
            "HP11 SCRAM of 10000 mechanisms",
            instead(vec![send(auth(10, "SCRAM-X\0".repeat(5000).as_bytes())), Act::Deaf]),
            METHOD,
            "",
        ),
        row("HP11 SCRAM of no mechanism", instead(vec![send(auth(10, b"")), Act::Deaf]), METHOD, ""),
        row("HP12 R0 at once", instead(vec![send([auth(0, b""), pg(b'Z', b"I")].concat()), Act::Deaf]), NO_SESSION, ""),
        row(
            "HP20 a parameter of 1 GB",
            instead(vec![send(pg_of_length(b'S', 1 << 30, b"a\0b\0")), repeat(vec![b'x'; 8192], ENDLESS)]),
            NO_SESSION,
            "claims to have",
        ),
        row(
            "HP20 a length of 0",
            instead(vec![send(pg_of_length(b'S', 0, b"")), Act::Deaf]),
            NO_SESSION,
            "claims to have",
        ),
        row(
            "HP23 endless parameters",
            instead(vec![repeat(parameter("a", b"b").repeat(500), ENDLESS)]),
            NO_SESSION,
            "bytes in one step",
        ),
        row(
            "HP23 endless notices",
            instead(vec![repeat(pg(b'N', b"SNOTICE\0Mhello\0\0").repeat(300), ENDLESS)]),
            NO_SESSION,
            "bytes in one step",
        ),
        row(
            "HP26 NegotiateProtocolVersion of 2^31 options",
            instead(vec![send(pg(b'v', &[0, 3, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF])), Act::Deaf]),
            NO_SESSION,
            "",
        ),
        row("HP27 a notification", instead(vec![send(pg(b'A', b"\0\0\0\x01chan\0pay\0")), Act::Deaf]), NO_SESSION, ""),
        row(
            "HP28 a code that contradicts its text",
            instead(vec![send(pg_error("53300", b"password authentication failed for user")), Act::Close]),
            NO_SESSION,
            "53300",
        ),
        row(
            "HP28 a code of 10000 letters",
            instead(vec![send(pg_error(&"9".repeat(10_000), b"no")), Act::Close]),
            NO_SESSION,
            "",
        ),
        row(
            "HP17 escapes in an error",
            instead(vec![send(pg_error("28000", &without_nul(hostile_text()))), Act::Close]),
            NO_SESSION,
            "",
        ),
        row(
            "HP17 an error without an end",
            instead(vec![send(pg(b'E', b"SFATAL\0Mno end")), Act::Close]),
            NO_SESSION,
            "",
        ),
        row(
            "HP18 50 KB of error",
            instead(vec![send(pg_error("28000", &[b'x'; 50_000])), Act::Close]),
            NO_SESSION,
            "28000",
        ),
    ]
}

fn sessions() -> Vec<Row> {
    vec![
        row("HP09 R3 twice", told(vec![send(auth(3, b"")), Act::Deaf]), TOKEN, ""),
        row("HP09 R3 after acceptance", trusted(vec![send(auth(3, b"")), Act::Deaf]), SESSION, ""),
        row("HP10 MD5 after the token", told(vec![send(auth(5, b"salt")), Act::Deaf]), TOKEN, ""),
        row("HP13 silence after the token", told(vec![Act::Deaf]), TOKEN, "no answer within"),
        row("HP14 closed after the token", told(vec![Act::Close]), TOKEN, ""),
        row("HP14 reset after the token", told(vec![Act::Reset]), TOKEN, ""),
        row(
            "HP15 the token, said back",
            told(vec![
                Act::Answer(|said| {
                    pg_error("28P01", &without_nul([b"bad token: ", said.get(5..).unwrap_or_default()].concat()))
                }),
                Act::Close,
            ]),
            TOKEN,
            "",
        ),
        row(
            "HP15 the token as a parameter",
            told(vec![
                Act::Answer(|said| parameter("application_name", &without_nul(said.get(5..).unwrap_or_default()))),
                send(pg_error("28P01", b"no")),
                Act::Close,
            ]),
            TOKEN,
            "",
        ),
        row(
            "HP17 escapes in an error after the token",
            told(vec![send(pg_error("28P01", &without_nul(hostile_text()))), Act::Close]),
            TOKEN,
            "28P01",
        ),
        row(
            "HP21 a version of escapes",
            trusted(vec![
                send(
                    [
                        parameter("server_version", ESCAPES.as_bytes()),
                        parameter("server_version", b"99999999999.x"),
                        pg(b'Z', b"I"),
                    ]
                    .concat(),
                ),
                Act::Expect(b"Q"),
                send([fields(&[ESCAPES.as_bytes(), &hostile_text(), b"99999999999.x", b"t"]), done()].concat()),
            ]),
            &[("login.session", "pass|warn|fail")],
            "",
        ),
        row("HP22 BackendKeyData of one byte", trusted(vec![send(pg(b'K', b"x")), Act::Deaf]), SESSION, ""),
        row("HP22 BackendKeyData of 60 KB", trusted(vec![send(pg(b'K', &[7; 60_000])), Act::Deaf]), SESSION, ""),
        row(
            "HP23 endless parameters after the token",
            told(vec![repeat(parameter("a", b"b").repeat(500), ENDLESS)]),
            TOKEN,
            "bytes in one step",
        ),
        row(
            "HP23 endless parameters before the session",
            trusted(vec![repeat(parameter("a", b"b").repeat(500), ENDLESS)]),
            SESSION,
            "bytes in one step",
        ),
        row("HP24 ready, and silence", asked(vec![Act::Deaf]), SESSION, "no answer within"),
        row("HP25 COPY in", asked(vec![send(pg(b'G', &[0, 0, 0])), Act::Deaf]), SESSION, ""),
        row(
            "HP25 COPY out, endless",
            asked(vec![send(pg(b'H', &[0, 0, 0])), repeat(pg(b'd', &[b'x'; 4000]), ENDLESS)]),
            SESSION,
            "",
        ),
        row("HP25 a function's response", asked(vec![send(pg(b'V', &[0xFF; 4])), Act::Deaf]), SESSION, ""),
        row("HP25 no rows at all", asked(vec![send(done())]), &[("login.session", "pass|warn|fail|unknown")], ""),
        row(
            "HP25 endless rows",
            asked(vec![repeat(fields(&[b"x"]).repeat(300), ENDLESS)]),
            SESSION,
            "bytes in one step",
        ),
        row(
            "HP25 a row of 65535 columns",
            asked(vec![send([pg(b'D', &[0xFF, 0xFF, 0, 0]), done()].concat())]),
            &[("login.session", "pass|warn|fail|unknown")],
            "",
        ),
        row(
            "HP25 a column of negative length",
            asked(vec![send([pg(b'D', &[0, 1, 0x80, 0, 0, 0]), done()].concat())]),
            &[("login.session", "pass|warn|fail|unknown")],
            "",
        ),
        row(
            "HP25 a column longer than its row",
            asked(vec![send([pg(b'D', &[0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 1]), done()].concat())]),
            &[("login.session", "pass|warn|fail|unknown")],
            "",
        ),
        row("HP30 goodbye in the middle of the login", trusted(vec![Act::Close]), SESSION, ""),
        row("HP30 goodbye in the middle of an answer", asked(vec![send(fields(&[b"x"])), Act::Close]), SESSION, ""),
        row("HP30 half a message, and goodbye", trusted(vec![send(&pg(b'Z', b"I")[..4]), Act::Close]), SESSION, ""),
    ]
}

#[test]
fn hostile_postgres_in_tls() {
    play(startup().into_iter().chain(sessions()).collect());
}

#[test]
fn polite_scripts_are_understood() {
    let row_of = |user: &str| fields(&[user.as_bytes(), b"postgres", b"16.4", b"t"]);
    play(vec![row("a scripted sign-in", asked(vec![send([row_of("x"), done()].concat())]), PASSES, "")]);
}
