//! HTTP inside verified TLS, at the login host: broken heads, endless bodies, redirects that want to be followed.

use super::act::{Act, ENDLESS, ESCAPES, Shown, drip, hostile_text, repeat, send};
use super::message::http;
use super::row::{At, Row, Stage, play, row};

const FAILS: &[(&str, &str)] = &[("https.login", "fail"), ("https.graph", "pass"), ("login.session", "pass")];
/// Discovery is what it should be; what stands around it does not matter.
const PASSES: &[(&str, &str)] =
    &[("https.login", "pass"), ("host.clock", "pass|skip|warn|unknown"), ("login.session", "pass")];

pub const DISCOVERY: &str = r#"{"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0","token_endpoint":"https://login.microsoftonline.com/common/oauth2/v2.0/token"}"#;

fn after_get(acts: Vec<Act>) -> At {
    At::Login([vec![Act::Tls(Shown::Good), Act::Expect(b"GET /")], acts].concat())
}

fn says(bytes: impl Into<Vec<u8>>) -> At {
    after_get(vec![send(bytes), Act::Close])
}

/// A redirect to a place.
fn moved(status: &str, location: &[u8]) -> At {
    says([format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: ").as_bytes(), location, b"\r\n\r\n"].concat())
}

fn heads() -> Vec<Row> {
    let head = |line: &[u8]| says([b"HTTP/1.1 200 OK\r\n", line, b"\r\nContent-Length: 2\r\n\r\n{}"].concat());
    let with = |header: &str| says(http("200 OK", header, DISCOVERY.as_bytes()));
    vec![
        row("HH01 no status line", says(hostile_text()), FAILS, ""),
        row("HH01 a status of six digits", says("HTTP/1.1 200000 OK\r\n\r\n"), FAILS, ""),
        row("HH01 HTTP/9.9", says("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"), FAILS, ""),
        row("HH01 HTTP/0.9", says(DISCOVERY), FAILS, ""),
        row("HH02 a header without a colon", head(b"nonsense"), FAILS, ""),
        row("HH02 a folded header", head(b"X-A: b\r\n  folded"), FAILS, ""),
        row("HH02 NUL in a header", head(b"X-A: b\0c"), FAILS, ""),
        row("HH02 CR alone", head(b"X-A: b\rX-C: d"), FAILS, ""),
        row("HH02 a space before the colon", head(b"X-A : b"), FAILS, ""),
        row("HH03 two lengths", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"), FAILS, ""),
        row("HH03 a negative length", says("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"), FAILS, ""),
        row("HH03 a length of 2^64", says("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n{}"), FAILS, ""),
        row("HH04 100000 headers", after_get(vec![send("HTTP/1.1 200 OK\r\n"), repeat("X-A: b\r\n".repeat(1000), 100), Act::Close]), FAILS, ""),
        row("HH04 an endless header", after_get(vec![send("HTTP/1.1 200 OK\r\nX-A: "), repeat(vec![b'a'; 8192], ENDLESS)]), FAILS, ""),
        row("HH09 10000 times 100 Continue", after_get(vec![repeat("HTTP/1.1 100 Continue\r\n\r\n".repeat(100), 100), Act::Close]), FAILS, ""),
        row("HH09 endless 103 Early Hints", after_get(vec![repeat("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(50), ENDLESS)]), FAILS, ""),
        row("HH09 101 Switching Protocols", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\n\r\n\x01\x02"), FAILS, ""),
        row("HH14 a storm of cookies, HSTS, Alt-Svc", with(&format!("{}Alt-Svc: h3=\"attacker.example:443\"\r\nStrict-Transport-Security: max-age=99999999999999\r\n", "Set-Cookie: a=b\r\n".repeat(80))), PASSES, ""),
        row("HH18 HTTP/2", after_get(vec![send([0, 0, 0, 4, 0, 0, 0, 0, 0]), repeat([0, 0, 4, 9, 0, 0, 0, 0, 1, 1, 2, 3, 4].repeat(500), ENDLESS)]), FAILS, ""),
        row("HH20 a date of nested comments", with(&format!("Date: {}\r\n", "(".repeat(8000))), PASSES, ""),
        row("HH20 a date in the year 9999", with("Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n"), &[("https.login", "pass")], ""),
        row("HH20 a date before all dates", with("Date: Thu, 01 Jan 0001 00:00:00 GMT\r\n"), &[("https.login", "pass")], ""),
        row("HH20 an invalid date", says(b"HTTP/1.1 200 OK\r\nDate: \xff\xfe\x9b31m\r\nContent-Length: 2\r\n\r\n{}"), FAILS, ""),
        row("HH21 escapes in every header", says(b"HTTP/1.1 403 Forbidden\r\nServer: \x9b31m\xff\r\nVia: \xe2\x80\xaeevil\r\nX-Squid-Error: ERR\x80\r\nContent-Type: \xc2\x9b2J\r\nContent-Length: 2\r\n\r\nno"), FAILS, ""),
    ]
}

fn bodies() -> Vec<Row> {
    let chunked = |body: &[u8]| says([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat());
    let chunking = |acts: Vec<Act>| {
        after_get([vec![send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")], acts].concat())
    };
    vec![
        row("HH05 a chunk of 2^64", chunked(b"10000000000000000\r\nx"), FAILS, ""),
        row("HH05 a negative chunk", chunked(b"-1\r\nx\r\n0\r\n\r\n"), FAILS, ""),
        row("HH05 a chunk without its end", chunked(b"2\r\n{}0\r\n\r\n"), FAILS, ""),
        row("HH05 endless chunk extensions", chunking(vec![send("2;"), repeat(vec![b'a'; 4096], ENDLESS)]), FAILS, ""),
        row(
            "HH05 endless trailers",
            chunking(vec![send("2\r\n{}\r\n0\r\n"), repeat("X-A: b\r\n".repeat(500), ENDLESS)]),
            FAILS,
            "",
        ),
        row("HH05 endless chunks of one byte", chunking(vec![repeat("1\r\nx\r\n".repeat(500), ENDLESS)]), FAILS, ""),
        row(
            "HH06 gzip that nobody asked for",
            says(http("200 OK", "Content-Encoding: gzip\r\n", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xFF])),
            FAILS,
            "",
        ),
        row(
            "HH07 an endless body",
            after_get(vec![send("HTTP/1.1 200 OK\r\n\r\n"), repeat(vec![b' '; 16_384], ENDLESS)]),
            FAILS,
            "longer than",
        ),
        row(
            "HH07 a dripped body",
            after_get(vec![send("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), drip(vec![b' '; 100], 60)]),
            FAILS,
            "no answer within",
        ),
        row(
            "HH07 a head that is dripped",
            after_get(vec![drip(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec(), 60)]),
            FAILS,
            "no answer within",
        ),
        row("HH07 a body that ends early", says("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"), FAILS, ""),
        row("HH08 a page of escapes", says(http("200 OK", "", &hostile_text())), FAILS, ""),
        row(
            "HH08 a block page of escapes",
            says(http("403 Forbidden", "", format!("<html><title>{ESCAPES}</title>").as_bytes())),
            FAILS,
            "",
        ),
        row(
            "HH22 what the client said, said back",
            after_get(vec![
                Act::Echo(b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n".to_vec(), Vec::new()),
                Act::Close,
            ]),
            FAILS,
            "HTTP 500",
        ),
    ]
}

fn redirects() -> Vec<Row> {
    let places: [&[u8]; 17] = [
        b"https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
        b"http://login.microsoftonline.com/",
        b"file:///etc/passwd",
        b"ftp://x/",
        b"gopher://x:70/_",
        b"data:text/html,x",
        b"https://login.microsoftonline.com:1/",
        b"http://169.254.169.254/metadata/identity/oauth2/token",
        b"https://user:secret@portal.example/?token=x",
        b"http://",
        b"",
        b"   ",
        b"//portal.example",
        b"\xff\xfe\x9b31m://\xc2\x9b2J",
        b"https://\xe2\x80\xaeelpmaxe.latrop/",
        b"javascript:alert(1)",
        b"https://[::1",
    ];
    let mut rows: Vec<Row> = places
        .iter()
        .map(|place| row(format!("HH10 302 to {}", place.escape_ascii()), moved("302 Found", place), FAILS, ""))
        .collect();
    rows.push(row("HH12 10 KB of Location", moved("302 Found", "x".repeat(10_000).as_bytes()), FAILS, ""));
    rows.push(row(
        "HH12 CRLF in Location",
        moved("302 Found", b"https://a/\r\nX-Injected: yes\r\nServer: evil"),
        FAILS,
        "",
    ));
    for status in ["300 Multiple Choices", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        rows.push(row(format!("HH11 {status}"), moved(status, b"https://portal.example/"), FAILS, ""));
    }
    for after in ["-1", "1000000000000", "Fri, 31 Dec 9999 23:59:59 GMT", "soon\u{9b}31m", ""] {
        for status in ["429 Too Many Requests", "503 Service Unavailable"] {
            let reply = http(status, &format!("Retry-After: {after}\r\n"), b"{}");
            rows.push(row(
                format!("HH19 {status}, Retry-After {}", after.escape_default()),
                says(reply),
                &[("https.login", "fail|warn|unknown")],
                "",
            ));
        }
    }
    rows
}

#[test]
fn hostile_http_of_the_login_host() {
    play(heads().into_iter().chain(bodies()).chain(redirects()).collect());
}

/// No redirect is followed: a host that is pointed to hears nothing.
#[test]
fn redirects_are_not_followed() {
    let bait = super::peer::start(
        vec![Act::Deaf],
        &std::sync::Arc::new(super::trust::Trusted::new(vec!["localhost".to_owned()])),
    );
    for status in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for scheme in ["http", "https"] {
            let stage = Stage::new(&moved(status, format!("{scheme}://127.0.0.1:{}/", bait.port).as_bytes()));
            let ran = stage.run(&["--only", "https.login"]);
            assert_eq!(ran.exit, Some(1), "{status}");
        }
    }
    assert!(bait.heard.all().is_empty(), "a redirect was followed");
}
