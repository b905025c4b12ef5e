//! Secrets and hostile texts, beyond what every story is searched for: peers that echo, passwords that are words, tokens in the wrong form.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lab::scenario::Scenario;
use lab::secrets::{Secret, leaks};
use lab::world::World;
use serde_json::Value;

use crate::contract::{healthy, told};
use crate::stories;

/// Everything that one run says, in every format.
struct Said {
    exit: Option<i32>,
    report: Value,
    page: Vec<u8>,
    json: Vec<u8>,
    errors: Vec<u8>,
}

impl Said {
    fn places(&self) -> [(&str, &[u8]); 3] {
        [("the page", &self.page), ("the report", &self.json), ("standard error", &self.errors)]
    }

    fn status(&self, id: &str) -> &str {
        let check = self.report["checks"].as_array().and_then(|checks| checks.iter().find(|check| check["id"] == id));
        check.and_then(|check| check["status"].as_str()).unwrap_or("absent")
    }

    fn causes(&self) -> Vec<&str> {
        let diagnoses = self.report["diagnoses"].as_array().expect("diagnoses");
        diagnoses.iter().filter_map(|diagnosis| diagnosis["cause"].as_str()).collect()
    }
}

/// Runs in a world: `first` stands before the world's own rules, `env` replaces its variables.
fn run(world: &World, first: &[&str], env: &[(&str, &str)]) -> Said {
    let directory = tempfile::tempdir().expect("a directory");
    let page = directory.path().join("page");
    let mut command = Command::new(stories::program());
    command.env_clear().envs(world.env.iter().map(|(name, value)| (name, value))).envs(env.iter().copied());
    command.arg("check").args(first).args(&world.args[1..]).args(["-vv", "--format", "json", "--format"]);
    command.arg(format!("text={}", page.display()));
    command.stdin(if world.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), &world.stdin) {
        pipe.write_all(bytes).expect("it reads its input");
    }
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Said {
        exit: output.status.code(),
        report: serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}")),
        page: std::fs::read(&page).expect("the page"),
        json: output.stdout,
        errors: output.stderr,
    }
}

fn start(text: &str, seed: u64) -> World {
    World::start(&Scenario::parse(&told(text)).expect("a story"), seed).expect("a world")
}

/// A peer in clear that answers each request with whatever `answer` makes of it.
fn peer(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = vec![0; 16 * 1024];
            let read = stream.read(&mut request).unwrap_or(0);
            let _ = stream.write_all(&answer(&request[..read]));
        }
    });
    port
}

fn alone(name: &'static str, text: &str) -> Secret {
    Secret { name, text: text.to_owned(), may: Vec::new(), times: 0 }
}

#[test]
fn a_token_in_the_wrong_form_is_neither_sent_nor_shown() {
    let _turn = stories::turn();
    let mut forms = Vec::new();
    for from in ["file", "stdin", "environment"] {
        for form in ["quoted", "bearer", "json", "opaque", "control-characters"] {
            forms.push((from, form));
        }
    }
    thread::scope(|scope| {
        for group in forms.chunks(4) {
            scope.spawn(move || {
                for (from, form) in group {
                    let world = start(&format!("[token]\nfrom = \"{from}\"\nform = \"{form}\""), stories::seed());
                    // In `auto`, what the environment holds is a token only if it has the form of one.
                    let first: &[&str] = if *from == "environment" { &["--credential", "token-file"] } else { &[] };
                    let said = run(&world, first, &[]);
                    assert_eq!(said.status("token.claims"), "fail", "{from} {form}");
                    assert_eq!(said.status("server.tls"), "pass", "{from} {form}: everything else still runs");
                    let found = leaks(world.secrets(), &said.places(), &world.received());
                    assert!(found.is_empty(), "{from} {form}: {found:?}");
                    assert!(world.passwords().is_empty(), "{from} {form}: something was sent as a password");
                }
            });
        }
    });
}

#[test]
fn an_ordinary_password_is_never_sent_and_never_shown() {
    let world = healthy();
    let password = "correct horse battery staple 42!";
    for first in [&[][..], &["--credential", "token-file"]] {
        let said = run(&world, first, &[("PGPASSWORD", password)]);
        let secrets = [alone("ordinary password", password)];
        let found = leaks(&secrets, &said.places(), &world.received());
        assert!(found.is_empty(), "{first:?}: {found:?}");
    }
}

/// The lab draws the same signature from the same seed, so a server can be told beforehand what to echo.
#[test]
fn a_server_that_echoes_the_token_is_redacted() {
    let seed = stories::seed();
    let world = start("[token]\nfrom = \"file\"", seed);
    let signature = world.secrets()[0].text.rsplit('.').next().expect("a signature").to_owned();
    drop(world);
    let reversed: String = signature.chars().rev().collect();
    let hex: String = signature.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (how, echo) in [
        ("plain", signature.clone()),
        ("a part", signature[10..40].to_owned()),
        ("in quotes", format!("\\\"{signature}\\\"")),
        ("base64", STANDARD.encode(format!("p{signature}"))),
        ("hex", hex),
        ("reversed", reversed),
        ("after other words", format!("{} {signature}", "word ".repeat(60))),
    ] {
        let ats: &[&str] = if how == "plain" { &["after-token", "after-authentication"] } else { &["after-token"] };
        for at in ats {
            let text = format!(
                "[token]\nfrom = \"file\"\n[server]\nerror = {{ sqlstate = \"28P01\", message = \"bad token {echo} given\", at = \"{at}\" }}"
            );
            let world = start(&text, seed);
            assert!(world.secrets()[0].text.ends_with(&signature), "the lab draws another signature");
            let said = run(&world, &[], &[]);
            assert_eq!(said.exit, Some(1), "{how} {at}");
            let found = leaks(world.secrets(), &said.places(), &world.received());
            assert!(found.is_empty(), "{how} {at}: {found:?}");
            let page = String::from_utf8_lossy(&said.page).into_owned();
            assert!(page.contains("bad token"), "{how} {at}: the raw reason is lost: {page}");
        }
    }
}

#[test]
fn a_proxy_that_echoes_what_it_got_is_redacted() {
    for (password, spelled) in [
        ("s3cr3t-p4ssw0rd-0f-th3-pr0xy", "s3cr3t-p4ssw0rd-0f-th3-pr0xy"),
        ("p:w/with@odd ones+%", "p%3Aw%2Fwith%40odd%20ones%2B%25"),
        ("hunter2", "hunter2"),
    ] {
        let port = peer(move |request| {
            let text = String::from_utf8_lossy(request).into_owned();
            let basic =
                text.lines().find_map(|line| line.split_once("Basic ")).map(|(_, basic)| basic.trim().to_owned());
            let basic = basic.unwrap_or_default();
            let plain = String::from_utf8_lossy(&STANDARD.decode(&basic).unwrap_or_default()).into_owned();
            let body = format!("<title>no</title>{text} {basic} {plain} {spelled}");
            format!(
                "HTTP/1.1 407 Go away {spelled}\r\nProxy-Authenticate: Basic realm=\"{plain}\"\r\nX-Squid-Error: {basic}\r\n\
                 Server: {spelled}\r\nVia: {plain}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        });
        let world = healthy();
        let rule = format!("127.0.0.1:{port}:127.0.0.1:{port}");
        let said = run(
            &world,
            &["--connect-to", &rule],
            &[("HTTPS_PROXY", &format!("http://user:{spelled}@127.0.0.1:{port}"))],
        );
        assert_eq!(said.status("https.login"), "fail", "{password}");
        let whole = STANDARD.encode(format!("user:{password}"));
        for (place, bytes) in said.places() {
            let text = String::from_utf8_lossy(bytes).into_owned();
            // The last characters of the header's base64 hold the password alone.
            for spelling in [password, spelled, &whole, &whole[8..]] {
                assert!(!text.contains(spelling), "`{spelling}` is in {place}");
            }
        }
        let found = leaks(&[alone("proxy password", password)], &said.places(), &world.received());
        assert!(found.is_empty(), "{password}: {found:?}");
    }
}

/// Redaction is for eyes. What is judged must not depend on a secret that happens to be a word of the world.
#[test]
fn a_secret_that_is_a_common_word_changes_no_judgement() {
    let mut wrong = Vec::new();
    let world = start("[proxy]\nmode = \"ok\"", stories::seed());
    let plain = run(&world, &[], &[]);
    for word in ["azure", "microsoft", "login", "database", "windows.net"] {
        let (name, url) = world.env.iter().find(|(name, _)| name == "HTTPS_PROXY").expect("a proxy").clone();
        let url = url.replacen("http://", &format!("http://user:{word}@"), 1);
        let said = run(&world, &[], &[(&name, &url)]);
        if (said.exit, said.causes()) != (plain.exit, plain.causes()) {
            wrong.push(format!(
                "the password `{word}`: status {:?} {:?} instead of {:?} {:?}",
                said.exit,
                said.causes(),
                plain.exit,
                plain.causes()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// ESC, OSC and BEL, CR, backspace, C1, overrides and isolates of direction, zero width, a line separator.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{8}\u{9b}31m\u{202e}txt.exe\u{2066}\u{200b}\u{200f}\u{2028}end";

/// A character that a terminal obeys or that hides others.
fn obeyed(bytes: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    text.chars().find(|letter| {
        (letter.is_control() && *letter != '\n')
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    })
}

fn harmless(said: &Said, what: &str) {
    for (place, bytes) in [("the page", &said.page), ("standard error", &said.errors)] {
        if let Some(letter) = obeyed(bytes) {
            panic!("{what}: a raw U+{:04X} is in {place}", u32::from(letter));
        }
    }
    let controls = said.json.iter().find(|byte| byte.is_ascii_control() && **byte != b'\n');
    assert!(controls.is_none(), "{what}: a raw {controls:?} is in the JSON");
    let page = String::from_utf8_lossy(&said.page).into_owned();
    assert!(page.contains("end"), "{what}: the text is thrown away: {page}");
}

#[test]
fn hostile_words_of_the_server_and_the_metadata_service_stay_words() {
    let toml = toml_string(HOSTILE);
    for (what, text) in [
        (
            "a server's error before the token",
            format!("[server]\nerror = {{ sqlstate = \"28000\", message = {toml}, at = \"before-token\" }}"),
        ),
        (
            "a server's error after the token",
            format!("[server]\nerror = {{ sqlstate = \"XX000\", message = {toml}, at = \"after-token\" }}"),
        ),
        (
            "an error in place of TLS",
            format!("[server]\nssl = \"E\"\nerror = {{ sqlstate = \"08P01\", message = {toml} }}"),
        ),
        (
            "a description of the metadata service",
            format!("[metadata]\nstatus = 400\nerror = \"invalid_request\"\ndescription = {toml}"),
        ),
        ("a body of the metadata service", format!("[metadata]\nstatus = 400\nbody = {toml}")),
    ] {
        let world = start(&text, stories::seed());
        let said = run(&world, &[], &[]);
        assert_eq!(said.exit, Some(1), "{what}");
        harmless(&said, what);
    }
}

#[test]
fn hostile_headers_and_bodies_of_a_proxy_stay_words() {
    let port = peer(|_| {
        let body = format!("<html><title>{HOSTILE}</title>{HOSTILE}</html>");
        let mut reply = b"HTTP/1.1 503 Service ".to_vec();
        // Latin-1 bytes and a tab are legal in a reason phrase and in a header's value.
        reply.extend(
            b"\x9b31m\tend\r\nServer: squid\x9b2J end\r\nX-Squid-Error: \xc2\x9b end\r\nVia: end\xe2\x80\xae\r\n",
        );
        reply.extend(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        reply
    });
    let world = healthy();
    let rule = format!("127.0.0.1:{port}:127.0.0.1:{port}");
    let said = run(&world, &["--connect-to", &rule], &[("HTTPS_PROXY", &format!("http://127.0.0.1:{port}"))]);
    assert_eq!(said.exit, Some(1));
    harmless(&said, "a proxy's answer");
}

#[test]
fn names_that_the_user_gave_are_escaped_too() {
    let world = healthy();
    let at = world.args.iter().position(|arg| arg == "--user").expect("a user") + 1;
    let mut args = world.args.clone();
    args[at] = format!("app{HOSTILE}");
    let mut command = Command::new(stories::program());
    command.env_clear().envs(world.env.iter().map(|(name, value)| (name, value)));
    let output = command.args(&args).arg("-vv").stdin(Stdio::null()).output().expect("the program starts");
    assert_eq!(obeyed(&output.stdout), None);
    assert_eq!(obeyed(&output.stderr), None);
}

/// Nothing secret is an argument of a child, or lies in a file that this program made.
#[test]
fn a_report_can_be_handed_on() {
    let world = start("[token]\nfrom = \"environment\"", stories::seed());
    let said = run(&world, &[], &[("AZURE_CLIENT_SECRET", "an-application-secret-of-forty-characters")]);
    assert_eq!(said.exit, Some(0));
    let mut secrets = world.secrets().to_vec();
    secrets.push(alone("client secret", "an-application-secret-of-forty-characters"));
    let found = leaks(&secrets, &said.places(), &world.received());
    assert!(found.is_empty(), "{found:?}");
}

/// A TOML string of any text.
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            ' '..='~' if !"\\\"".contains(letter) => letter.to_string(),
            _ => format!("\\U{:08X}", u32::from(letter)),
        })
        .collect();
    format!("\"{escaped}\"")
}
