//! JSON at the login host: what is no discovery document, however hard it tries.

use super::act::{Act, ESCAPES, Shown, send};
use super::message::http;
use super::row::{At, Row, play, row};

const FAILS: &[(&str, &str)] = &[("https.login", "fail"), ("https.graph", "pass"), ("login.session", "pass")];

fn body(bytes: &[u8]) -> At {
    At::Login(vec![Act::Tls(Shown::Good), Act::Expect(b"GET /"), send(http("200 OK", "", bytes)), Act::Close])
}

fn table() -> Vec<Row> {
    vec![
        row("HJ01 nested arrays", body("[".repeat(250_000).as_bytes()), FAILS, ""),
        row("HJ01 nested objects", body("{\"issuer\":".repeat(25_000).as_bytes()), FAILS, ""),
        row(
            "HJ02 padding of 1 MiB",
            body(format!("{{\"issuer\":\"{}\"}}", "a".repeat(1 << 20)).as_bytes()),
            FAILS,
            "longer than",
        ),
        row(
            "HJ03 100000 members",
            body(format!("{{{}\"z\":0}}", (0..20_000).map(|n| format!("\"{n}\":0,")).collect::<String>()).as_bytes()),
            FAILS,
            "",
        ),
        row("HJ03 the wrong types", body(br#"{"issuer":1,"token_endpoint":[]}"#), FAILS, ""),
        row("HJ04 invalid UTF-8", body(b"{\"issuer\":\"\xff\",\"token_endpoint\":\"x\"}"), FAILS, ""),
        row(
            "HJ07 two documents",
            body(br#"{"issuer":"a","token_endpoint":"b"}{"issuer":"a","token_endpoint":"b"}"#),
            FAILS,
            "",
        ),
        row("HJ07 NDJSON", body(b"{\"issuer\":\"a\"}\n{\"token_endpoint\":\"b\"}\n"), FAILS, ""),
        row("HJ07 a byte order mark", body(b"\xef\xbb\xbf{\"issuer\":\"a\",\"token_endpoint\":\"b\"}"), FAILS, ""),
        row(
            "HJ13 escapes in an error",
            body(serde_json::json!({"error": {"code": ESCAPES, "message": ESCAPES}}).to_string().as_bytes()),
            FAILS,
            "",
        ),
    ]
}

#[test]
fn hostile_json_of_the_login_host() {
    play(table());
}
