//! Who gives tokens: the token endpoint of Entra inside verified TLS, and App Service's identity endpoint. Answers that are none, and tokens
//! that are not what they must be.

use serde_json::json;

use super::act::{Act, ENDLESS, ESCAPES, Shown, drip, hostile_text, repeat, send};
use super::login::DISCOVERY;
use super::message::http;
use super::program::Scratch;
use super::row::{At, Row, Stage, play, row};

const FAILS: &[(&str, &str)] =
    &[("token.acquire", "fail"), ("https.login", "pass"), ("server.tls", "pass"), ("login.session", "skip")];
/// A token came and is not one that may be sent.
const WITHHELD: &[(&str, &str)] =
    &[("token.acquire", "pass"), ("token.claims", "fail"), ("server.tls", "pass"), ("login.session", "skip|fail")];

/// The two endpoints, each with what precedes its answer.
fn both(name: &str, acts: Vec<Act>, checks: &'static [(&'static str, &'static str)], says: &'static str) -> [Row; 2] {
    let discovery = Act::Unless(b"GET /", http("200 OK", "", DISCOVERY.as_bytes()));
    let entra = [vec![Act::Tls(Shown::Good), discovery], acts.clone()].concat();
    let platform = [vec![Act::Expect(b"GET /msi/token?")], acts].concat();
    [
        row(format!("Entra {name}"), At::Entra(entra), checks, says),
        row(format!("platform {name}"), At::Platform(platform), checks, says),
    ]
}

fn says(bytes: impl Into<Vec<u8>>) -> Vec<Act> {
    vec![send(bytes), Act::Close]
}

/// A reply of 200 with this media type, or none.
fn typed(media: Option<&str>, body: &str) -> Vec<Act> {
    let media = media.map(|media| format!("Content-Type: {media}\r\n")).unwrap_or_default();
    says(format!("HTTP/1.1 200 OK\r\n{media}Content-Length: {}\r\n\r\n{body}", body.len()))
}

fn answer(body: &serde_json::Value) -> Vec<Act> {
    says(http("200 OK", "", body.to_string().as_bytes()))
}

fn refusal(body: &serde_json::Value) -> Vec<Act> {
    says(http("400 Bad Request", "", body.to_string().as_bytes()))
}

const PAGE: &str = "<html><title>Sign in to the network</title></html>";
/// In the form of a JWT, and of nobody.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4IiwidXBuIjoiZXlKLWNhbmFyeSJ9.c2lnbmF0dXJlLW9mLW5vYm9keQ";

fn media_types() -> Vec<Row> {
    let token = json!({"access_token": JWT, "token_type": "Bearer"}).to_string();
    let mut rows = Vec::new();
    for media in [
        None,
        Some("text/html"),
        Some("application/jsonx"),
        Some("application/json; charset=utf-16"),
        Some("\u{9b}2J"),
        Some(""),
    ] {
        // What is no JSON is no token, whatever it calls itself; and the SDKs take JSON by whatever name. The token's claims are judged then.
        let name = media.unwrap_or("no type").escape_default().to_string();
        rows.extend(both(&format!("HJ06 a page as {name}"), typed(media, PAGE), FAILS, "no JSON"));
        rows.extend(both(&format!("HJ06 a token as {name}"), typed(media, &token), WITHHELD, ""));
    }
    rows.extend(both("HJ06 a page as JSON", typed(Some("application/json"), PAGE), FAILS, "no JSON"));
    rows
}

fn token_types() -> Vec<Row> {
    let of = |kind: serde_json::Value| answer(&json!({"access_token": JWT, "token_type": kind}));
    let mut rows = Vec::new();
    for kind in
        [json!("MAC"), json!("pop"), json!("ssh-cert"), json!(7), json!({"type": "Bearer"}), json!(""), json!(ESCAPES)]
    {
        rows.extend(both(
            &format!("HJ09 a token of type {kind}").escape_default().to_string(),
            of(kind),
            FAILS,
            "not Bearer",
        ));
    }
    rows.extend(both("HJ09 bearer in small letters", of(json!("bearer")), WITHHELD, ""));
    rows.extend(both("HJ09 no type", answer(&json!({"access_token": JWT})), WITHHELD, ""));
    rows.extend(both("HJ09 a type of null", of(json!(null)), WITHHELD, ""));
    rows
}

fn answers() -> Vec<Row> {
    let noise: String = (0..60_000).map(|_| fastrand::alphanumeric()).collect();
    let rows = vec![
        both("HT01 silence", vec![Act::Deaf], FAILS, "no answer within"),
        both("HT03 a byte every 60 ms", vec![drip(http("200 OK", "", b"{}"), 60)], FAILS, "no answer within"),
        both("HT12 closed", vec![Act::Close], FAILS, ""),
        both("HT12 reset", vec![Act::Reset], FAILS, ""),
        both("HH01 no HTTP", says(hostile_text()), FAILS, ""),
        both(
            "HH04 an endless header",
            vec![send("HTTP/1.1 200 OK\r\nX-A: "), repeat(vec![b'a'; 8192], ENDLESS)],
            FAILS,
            "",
        ),
        both(
            "HH05 endless chunks",
            vec![
                send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                repeat("1\r\nx\r\n".repeat(500), ENDLESS),
            ],
            FAILS,
            "",
        ),
        both(
            "HH06 gzip that nobody asked for",
            says(http("200 OK", "Content-Encoding: gzip\r\n", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xFF])),
            FAILS,
            "no JSON",
        ),
        both(
            "HH07 an endless body",
            vec![send("HTTP/1.1 200 OK\r\n\r\n"), repeat(vec![b' '; 16_384], ENDLESS)],
            FAILS,
            "longer than",
        ),
        both(
            "HH09 endless 100 Continue",
            vec![repeat("HTTP/1.1 100 Continue\r\n\r\n".repeat(100), ENDLESS)],
            FAILS,
            "",
        ),
        both(
            "HH11 307",
            says("HTTP/1.1 307 Temporary Redirect\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
            FAILS,
            "",
        ),
        both(
            "HH13 a challenge for /etc/passwd",
            says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=/etc/passwd\r\nContent-Length: 0\r\n\r\n"),
            FAILS,
            "",
        ),
        both(
            "HH19 429, Retry-After of 30000 years",
            says(http("429 Too Many", "Retry-After: 1000000000000\r\n", b"{}")),
            FAILS,
            "",
        ),
        both(
            "HH22 what the client said, said back",
            vec![Act::Echo(b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n".to_vec(), Vec::new()), Act::Close],
            FAILS,
            "",
        ),
        both("HJ01 nested arrays", says(http("200 OK", "", "[".repeat(30_000).as_bytes())), FAILS, "no JSON"),
        both("HJ03 null", says(http("200 OK", "", b"null")), FAILS, "no access_token"),
        both(
            "HJ07 two documents",
            says(http("200 OK", "", format!("{{\"access_token\":\"{JWT}\"}}{{}}").as_bytes())),
            FAILS,
            "no JSON",
        ),
        both("HJ08 60 KB of noise", answer(&json!({"access_token": noise})), WITHHELD, ""),
        both("HJ08 NUL and line breaks", answer(&json!({"access_token": format!("{JWT}\0\r\nX: y")})), WITHHELD, ""),
        both(
            "HJ13 escapes and codes without end",
            refusal(
                &json!({"error": ESCAPES, "error_description": format!("{ESCAPES} {}", "AADSTS1 ".repeat(5000)), "error_codes": (0..9000).collect::<Vec<_>>(), "trace_id": ESCAPES, "correlation_id": ESCAPES}),
            ),
            FAILS,
            "",
        ),
        both(
            "HJ13 codes of no number",
            refusal(&json!({"error": 7, "error_codes": ["7000215", 1e300, null, -1]})),
            FAILS,
            "",
        ),
    ];
    rows.into_iter().flatten().collect()
}

#[test]
fn hostile_token_endpoints() {
    play(answers().into_iter().chain(media_types()).chain(token_types()).collect());
}

/// A token that came with a refusal, or in a text that is no JSON, is not used; and it is not kept either.
#[test]
fn a_token_in_a_refusal_is_not_kept() {
    let bodies = [
        json!({"access_token": JWT, "token_type": "MAC", "error": "no"}).to_string(),
        json!({"refresh_token": JWT, "id_token": JWT}).to_string(),
        json!({"error": "no", "error_description": format!("you had {JWT}, once")}).to_string(),
        format!("<html>{JWT}</html>"),
        format!("{{\"access_token\":\"{JWT}\""),
    ];
    for body in bodies {
        for status in ["400 Bad Request", "200 OK"] {
            let acts = says(http(status, "", body.as_bytes()));
            for row in both("", acts, FAILS, "") {
                let ran = Stage::new(&row.at).run(&[]);
                let told = [ran.stdout, ran.page, ran.stderr].concat();
                let part = JWT.rsplit('.').next().unwrap_or_default();
                let shown = String::from_utf8_lossy(&told).contains(part);
                assert!(!shown && ran.exit == Some(1), "{status} {body}: {:?}", ran.exit);
            }
        }
    }
}

/// HH13: a challenge as Azure Arc gives it opens no file, and the identity header goes to its own endpoint and nowhere it points to.
#[test]
fn a_challenge_opens_no_file() {
    let scratch = Scratch::new();
    let canary: String = (0..40).map(|_| fastrand::alphanumeric()).collect();
    let key = scratch.write("secret.key", &canary).display().to_string();
    let bait =
        super::peer::start(vec![Act::Deaf], &std::sync::Arc::new(super::trust::Trusted::new(vec!["x".to_owned()])));
    for status in ["401 Unauthorized", "302 Found", "307 Temporary Redirect", "200 OK"] {
        let head = format!(
            "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm={key}\r\nLocation: http://127.0.0.1:{0}/msi\r\nContent-Length: 0\r\n\r\n",
            bait.port
        );
        let stage = Stage::new(&At::Platform(vec![Act::Expect(b"GET /msi/token?"), send(head), Act::Close]));
        let ran = stage.run(&[]);
        assert_eq!(ran.exit, Some(1), "{status}");
        let told = [ran.stdout, ran.page, ran.stderr].concat();
        let heard: Vec<u8> = stage.conversations().into_iter().flat_map(|heard| heard.clear).collect();
        for (place, bytes) in [("output", told), ("endpoint", heard)] {
            assert!(!String::from_utf8_lossy(&bytes).contains(&canary), "{status}: the file is in the {place}");
        }
    }
    assert!(bait.heard.all().is_empty(), "the identity header went where an answer pointed");
}
