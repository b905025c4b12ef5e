//! The metadata service: replies that are no token, and tokens that must not be sent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::act::{Act, ENDLESS, ESCAPES, drip, hostile_text, repeat, send};
use super::message::http;
use super::row::{At, Row, play, row};

/// There is no token, so that nobody signs in; everything else is as it was.
const FAILS: &[(&str, &str)] =
    &[("token.acquire", "fail"), ("https.login", "pass"), ("server.tls", "pass"), ("login.session", "skip")];
/// Something was handed out, and it is not sent.
const WITHHELD: &[(&str, &str)] = &[("token.claims", "fail"), ("server.tls", "pass"), ("login.session", "skip|fail")];

fn after_get(acts: Vec<Act>) -> At {
    At::Metadata([vec![Act::Expect(b"GET /metadata")], acts].concat())
}

fn says(bytes: impl Into<Vec<u8>>) -> At {
    after_get(vec![send(bytes), Act::Close])
}

fn body(bytes: &[u8]) -> At {
    says(http("200 OK", "", bytes))
}

fn token(text: &str) -> At {
    body(json!({"access_token": text, "token_type": "Bearer", "expires_in": "3600"}).to_string().as_bytes())
}

/// A JWT with this payload.
fn jwt(header: &str, payload: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", part(header.as_bytes()), part(payload), part(b"signature"))
}

fn replies() -> Vec<Row> {
    let nested = |open: &str| body(open.repeat(30_000).as_bytes());
    vec![
        row("HT01 silence", after_get(vec![Act::Deaf]), FAILS, ""),
        row("HT03 a byte every 60 ms", after_get(vec![drip(http("200 OK", "", b"{}"), 60)]), FAILS, ""),
        row("HT12 closed", after_get(vec![Act::Close]), FAILS, ""),
        row("HT12 reset", after_get(vec![Act::Reset]), FAILS, ""),
        row("HH01 no HTTP", says(hostile_text()), FAILS, ""),
        row("HH02 NUL in a header", says("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"), FAILS, ""),
        row("HH04 an endless header", after_get(vec![send("HTTP/1.1 200 OK\r\nX-A: "), repeat(vec![b'a'; 8192], ENDLESS)]), FAILS, ""),
        row("HH05 a chunk of 2^64", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx"), FAILS, ""),
        row("HH05 endless trailers", after_get(vec![send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"), repeat("X-A: b\r\n".repeat(500), ENDLESS)]), FAILS, ""),
        row("HH07 an endless body", after_get(vec![send("HTTP/1.1 200 OK\r\n\r\n"), repeat(vec![b' '; 16_384], ENDLESS)]), FAILS, ""),
        row("HH09 endless 100 Continue", after_get(vec![repeat("HTTP/1.1 100 Continue\r\n\r\n".repeat(100), ENDLESS)]), FAILS, ""),
        row("HH10 302", says("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), FAILS, ""),
        row("HH13 a challenge for /etc/passwd", says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=/etc/passwd\r\nContent-Length: 0\r\n\r\n"), FAILS, ""),
        row("HH19 429, Retry-After of 30000 years", says(http("429 Too Many", "Retry-After: 1000000000000\r\n", b"{}")), FAILS, ""),
        row("HH22 what the client said, said back", after_get(vec![Act::Echo(b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n".to_vec(), Vec::new()), Act::Close]), FAILS, ""),
        row("HJ01 nested arrays", nested("["), FAILS, ""),
        row("HJ01 nested objects", nested("{\"a\":"), FAILS, ""),
        row("HJ02 a string of 1 MiB", body(format!("{{\"x\":\"{}\"}}", "a".repeat(1 << 20)).as_bytes()), FAILS, "longer than"),
        row("HJ03 no object", body(b"[1,2,3]"), FAILS, ""),
        row("HJ03 null", body(b"null"), FAILS, ""),
        row("HJ03 numbers beyond all range", body(b"{\"access_token\": 1e999999, \"expires_on\": -1e400}"), FAILS, ""),
        row("HJ04 invalid UTF-8", body(&[b"{\"access_token\":\"", &hostile_text()[..], b"\"}"].concat()), FAILS, ""),
        row("HJ04 half a surrogate", body(br#"{"access_token":"\ud800"}"#), FAILS, ""),
        row("HJ05 the token twice", body(br#"{"access_token":"a","access_token":7}"#), FAILS, ""),
        row("HJ07 two documents", body(b"{\"access_token\":\"a.b.c\"}{\"access_token\":\"d\"}"), FAILS, ""),
        row("HJ07 garbage behind the document", body(b"{\"access_token\":\"a.b.c\"} garbage"), FAILS, ""),
        row("HJ08 an empty token", token(""), &[("login.session", "skip|fail")], ""),
        row("HJ08 a token that is null", body(b"{\"access_token\":null}"), FAILS, ""),
        row("HJ13 1 KB of escapes for a description", says(http("400 Bad Request", "", json!({"error": format!("e{ESCAPES}"), "error_description": ESCAPES.repeat(20)}).to_string().as_bytes())), FAILS, ""),
        row("HJ13 escapes as plain text", says(http("400 Bad Request", "", &hostile_text())), FAILS, ""),
        row("HJ14 escapes in the instance", body(json!({"compute": {"name": ESCAPES, "resourceGroupName": ESCAPES, "subscriptionId": ESCAPES, "azEnvironment": ESCAPES, "location": "$(reboot)"}, "network": {"interface": [{"ipv4": {"subnet": [{"address": ESCAPES, "prefix": "`id`"}]}}]}}).to_string().as_bytes()), FAILS, ""),
    ]
}

fn tokens() -> Vec<Row> {
    let good = r#"{"alg":"RS256"}"#;
    let texts: Vec<(&str, String)> = vec![
        ("HJ08 one byte", "x".to_owned()),
        ("HJ08 60 KB", "x".repeat(60_000)),
        ("HJ08 a line break", format!("{}\nX", jwt(good, b"{}"))),
        ("HJ08 NUL", format!("{}\0X", jwt(good, b"{}"))),
        ("HJ08 blanks", format!("  {} x", jwt(good, b"{}"))),
        ("HJ08 no ASCII", "tökén.ünd.mehr".to_owned()),
        ("HJ08 escapes", ESCAPES.to_owned()),
        ("HJ10 no dot", "abcdef".to_owned()),
        ("HJ10 one dot", "abc.def".to_owned()),
        ("HJ10 four dots", "a.b.c.d.e".to_owned()),
        ("HJ10 bad base64", "!!!!.????.====".to_owned()),
        ("HJ10 a header of 20 KB", jwt(&format!("{{\"alg\":\"{}\"}}", "x".repeat(20_000)), b"{}")),
        ("HJ10 a payload that is no object", jwt(good, b"[1]")),
        ("HJ10 a nested payload", jwt(good, "[".repeat(20_000).as_bytes())),
        ("HJ10 a payload of noise", jwt(good, &hostile_text())),
        ("HJ10 exp as text", jwt(good, br#"{"aud":"x","exp":"soon"}"#)),
        ("HJ10 exp of 1e18", jwt(good, br#"{"aud":"x","exp":1e18,"nbf":-1e18}"#)),
        ("HJ10 exp beyond i64", jwt(good, br#"{"aud":"x","exp":99999999999999999999,"nbf":-9223372036854775808}"#)),
        ("HJ10 exp negative", jwt(good, br#"{"aud":"x","exp":-1}"#)),
        ("HJ10 aud as a number", jwt(good, br#"{"aud":7}"#)),
        ("HJ10 aud as a list of 5000", jwt(good, format!("{{\"aud\":[{}\"x\"]}}", "\"a\",".repeat(5000)).as_bytes())),
        ("HJ12 escapes in the claims", jwt(good, json!({"aud": ESCAPES, "iss": ESCAPES, "tid": ESCAPES, "upn": ESCAPES, "oid": ESCAPES, "appid": ESCAPES, "idtyp": ESCAPES}).to_string().as_bytes())),
    ];
    texts.into_iter().map(|(name, text)| row(name, token(&text), WITHHELD, "")).collect()
}

#[test]
fn hostile_metadata_service() {
    play(replies().into_iter().chain(tokens()).collect());
}
