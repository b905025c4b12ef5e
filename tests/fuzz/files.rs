//! What users hand in: a token, a saved report, files of a catalogue, arguments. Reading leads through judging to the pages: so whatever a
//! report claims to have seen, and whatever a token claims, is told without a character that a terminal obeys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser;
use entra_preflight::catalogue::Catalogue;
use entra_preflight::cli::{self, Cli};
use entra_preflight::evidence::{self, Recorder};
use entra_preflight::failure::Outcome;
use entra_preflight::fuzzing;
use entra_preflight::page::{self, Detail};
use entra_preflight::report::{self, Report};
use entra_preflight::secret::{Redactor, Secret};
use entra_preflight::target::proxy::{Proxy, exempt};
use entra_preflight::target::{connect_to::ConnectTo, parse_duration, parse_nameserver, parse_port, parse_server};

use super::driver::fuzz;
use crate::contract::{healthy, in_world, told, world};

const NONE: [&str; 0] = [];

const JSON: [&[u8]; 14] = [
    b"null",
    b"-1",
    b"1e400",
    b"18446744073709551615",
    b"\"\"",
    b"[]",
    b"{}",
    b"\"\\u001b[2J\"",
    b"\"\\u202e\"",
    b"[[[[[[[[",
    b",",
    b":",
    b"\"timeout\"",
    b"\"0.0.0.0\"",
];

/// Tells a report in every way.
fn tell(report: &Report) {
    for detail in [Detail::Quiet, Detail::Plain, Detail::Verbose] {
        let page = page::plain_typography(&page::text(report, detail, 100));
        let obeyed = |letter: char| letter.is_control() && letter != '\n' && letter != '\u{1b}';
        assert!(!page.chars().any(obeyed), "a raw control character is on the page");
    }
    let json = page::json(report);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "the report is no JSON");
}

#[test]
fn replay() {
    let seeds: Vec<Vec<u8>> = [
        healthy(),
        world(&told("[login]\ntls = \"self-signed\"\n[[nameserver]]\n[[nameserver]]\nall = \"servfail\"")),
        world(&told("[proxy]\nmode = \"denied\"\n[server]\nssl = \"N\"")),
        world(&told("[server]\nerror = { sqlstate = \"28P01\", message = \"no\", at = \"after-token\" }")),
    ]
    .iter()
    .map(|world| in_world(world, &["--format", "json"]).stdout)
    .collect();
    let catalogue = Catalogue::load(&NONE).expect("the catalogue");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.json");
    fuzz("replay", seeds, &JSON, |input| {
        std::fs::write(&file, input).expect("a file");
        let Ok((stamp, evidence)) = report::saved(&file) else { return };
        tell(&entra_preflight::judge(stamp, evidence, &catalogue));
    });
}

/// A token's file, from the command line to the pages.
fn token(name: &str, seeds: Vec<Vec<u8>>, words: &[&[u8]], form: impl Fn(&[u8]) -> Vec<u8>) {
    let catalogue = Catalogue::load(&NONE).expect("the catalogue");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    let path = file.display().to_string();
    let args = [
        "entra-preflight",
        "check",
        "--token-file",
        &path,
        "--only",
        "token.claims",
        "--nameserver",
        "127.0.0.1:1",
        "--proxy",
        "none",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    fuzz(name, seeds, words, |input| {
        std::fs::write(&file, form(input)).expect("a file");
        let Some(cli::Command::Check(args)) = Cli::try_parse_from(args).expect("arguments").command else { return };
        let Ok(target) = cli::target(*args, &catalogue) else { return };
        let recorder = Recorder::new();
        let stop = std::future::pending();
        tell(&runtime.block_on(entra_preflight::check(target, &catalogue, &recorder, stop)));
        // A probe that panics costs only itself, and would go unnoticed here.
        assert!(recorder.observations().iter().all(|seen| seen.outcome != Outcome::Panicked), "a probe panicked");
    });
}

const CLAIMS: &str = r#"{"aud":"https://ossrdbms-aad.database.windows.net","iss":"https://sts.windows.net/8d0c8b0e-0000-4000-8000-000000000000/","exp":1795000000,"nbf":1794000000,"iat":1794000000,"tid":"8d0c8b0e-0000-4000-8000-000000000000","oid":"8d0c8b0e-0000-4000-8000-000000000001","appid":"8d0c8b0e-0000-4000-8000-000000000002","idtyp":"app","upn":"a@b.example"}"#;

fn jwt(claims: &[u8]) -> Vec<u8> {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", part(br#"{"alg":"RS256","typ":"JWT"}"#), part(claims), part(&[7; 256])).into_bytes()
}

#[test]
fn token_file() {
    let good = jwt(CLAIMS.as_bytes());
    let wrapped = [b"{\"accessToken\": \"", &good[..], b"\"}"].concat();
    let seeds = vec![
        good.clone(),
        [b"Bearer ", &good[..], b"\r\n"].concat(),
        [b"\xef\xbb\xbf\"", &good[..], b"\""].concat(),
        wrapped,
    ];
    token(
        "token-file",
        seeds,
        &[b".", b"..", b"=", b"Bearer ", b"\"", b"\0", b"\xff", b"eyJ", b"\xe2\x80\xae"],
        <[u8]>::to_vec,
    );
}

#[test]
fn claims() {
    token("claims", vec![CLAIMS.as_bytes().to_vec()], &JSON, jwt);
}

/// What Microsoft Graph answers about a name, from its three bodies to the pages.
#[test]
fn graph() {
    const NAME: &str = "DB Admins";
    let world =
        world(&told("[world]\nargs = [\"--principal\", \"DB Admins\"]\n[principal]\nasked = false\nwho = \"nobody\""));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.json");
    std::fs::write(&file, in_world(&world, &["--format", "json"]).stdout).expect("a file");
    let (stamp, mut evidence) = report::saved(&file).expect("a report");
    evidence.retain(|seen| matches!(seen.detail, evidence::Detail::Principal(_) | evidence::Detail::Settings(_)));
    let place =
        evidence.iter().position(|seen| matches!(seen.detail, evidence::Detail::Principal(_))).expect("a lookup");
    let catalogue = Catalogue::load(&NONE).expect("the catalogue");
    let nobody =
        r#"0{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups(id,displayName)","value":[]}"#;
    let group = r#"0{"value":[{"id":"8d0c8b0e-0000-4000-8000-000000000001","displayName":"DB Admins","securityEnabled":true}]}"#;
    let user = r#"0{"value":[{"id":"8d0c8b0e-0000-4000-8000-000000000002","displayName":"DB Admins","userPrincipalName":"a_b.example#EXT#@c.onmicrosoft.com","mail":"a@b.example","userType":"Guest"}]}"#;
    let service = r#"0{"value":[{"id":"8d0c8b0e-0000-4000-8000-000000000003","displayName":"db admins","appId":"8d0c8b0e-0000-4000-8000-000000000004","servicePrincipalType":"ManagedIdentity"},{"id":"8d0c8b0e-0000-4000-8000-000000000005","displayName":"DB Admins","appId":"x","servicePrincipalType":"Application"}]}"#;
    let page = r#"0{"value":[],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x"}"#;
    let denied = r#"2{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation.","innerError":{"date":"2026-11-24T10:00:00","request-id":"8d0c8b0e-0000-4000-8000-000000000006"}}}"#;
    let busy = r#"4{"error":{"code":"TooManyRequests","message":"Too Many Requests"}}"#;
    let seeds = [[nobody, group, nobody], [user, nobody, service], [denied, denied, busy], [page, group, service]];
    let seeds = seeds.iter().map(|bodies| bodies.join("\u{1e}").into_bytes()).collect();
    let words: [&[u8]; 12] = [
        b"\"value\":[",
        b"{\"id\":\"",
        b"\"displayName\":\"",
        b"\"userPrincipalName\":null",
        b"\"@odata.nextLink\":\"https://graph.microsoft.com.example/v1.0/\"",
        b"DB Admins",
        b"\"error\":{\"code\":\"",
        b"\x1e0",
        b"\\u0000",
        b"\\ud800",
        b"\x1b[2J",
        b"\xe2\x80\xae",
    ];
    fuzz("graph", seeds, &words, |input| {
        let answers = input.split(|byte| *byte == 0x1e).filter_map(<[u8]>::split_first);
        let answers: Vec<(u16, Vec<u8>)> = answers
            .map(|(mark, body)| {
                ([200, 400, 403, 404, 429, 500][usize::from(mark.wrapping_sub(b'0')) % 6], body.to_vec())
            })
            .collect();
        let mut evidence = evidence.clone();
        evidence[place].detail = fuzzing::graph_answers(NAME, &answers);
        tell(&entra_preflight::judge(stamp.clone(), evidence, &catalogue));
    });
}

/// A text that somebody hands in, from the file to the pages.
#[test]
fn reported() {
    let catalogue = Catalogue::load(&NONE).expect("the catalogue");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("reported");
    let path = file.display().to_string();
    let args = ["entra-preflight", "check", "--reported", &path, "--only", "login.reported", "--proxy", "none"];
    let seeds = [
        "psql: error: FATAL:  password authentication failed for user \"app\"",
        "\u{1b}[31m│ Error: (AadAuthPrincipalCreationFailed) Reason: '42710: role \"x\" already exists'\r\n╵",
        "{\\\"client_secret\\\":\\\"x\\\"} AADSTS7000222: expired. Trace ID: 0a1b2c3d-0000-4000-8000-000000000001",
        "postgresql://a:b@c/d Password=x y;Host=z -----BEGIN PRIVATE KEY-----",
    ];
    let words: [&[u8]; 10] =
        [b"AADSTS", b"eyJ", b"password=", b"\\\"", b"://a:", b"@", b"\xff\xfe", b"\xef\xbb\xbf", b"role \"", b"\x1b["];
    fuzz("reported", seeds.map(|text| text.as_bytes().to_vec()).to_vec(), &words, |input| {
        std::fs::write(&file, input).expect("a file");
        let Some(cli::Command::Check(args)) = Cli::try_parse_from(args).expect("arguments").command else { return };
        let Ok(target) = cli::target(*args, &catalogue) else { return };
        let Some(text) = target.reported else { return };
        tell(&crate::reported::judged(&catalogue, &text.text));
    });
}

#[test]
fn catalogue() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("checks");
    // Files that stand for their kinds, each at its place; the first byte of an input chooses one.
    let places = [
        "dns/login.toml",
        "causes/dns/nodata.toml",
        "words/aadsts.toml",
        "clouds/public.toml",
        "controls.toml",
        "requirements.toml",
        "vantage.toml",
    ];
    let read = |place: &&str| std::fs::read(root.join(place)).ok();
    let known: Vec<(u8, &str, Vec<u8>)> =
        (0..).zip(places).filter_map(|(mark, place)| Some((mark, place, read(&place)?))).collect();
    assert!(known.len() >= 5, "the catalogue has moved: {} of {} files", known.len(), places.len());
    let seeds = known.iter().map(|(mark, _, text)| [&[*mark][..], text].concat()).collect();
    let words: [&[u8]; 12] = [
        b"when",
        b"[[remedy]]",
        b" = ",
        b"\"",
        b"'''",
        b"{host}",
        b"{",
        b"[[",
        b"]]",
        b"\n",
        b"refines = [\"",
        b"((((",
    ];
    let directory = tempfile::tempdir().expect("a directory");
    fuzz("catalogue", seeds, &words, |input| {
        let Some((mark, text)) = input.split_first() else { return };
        let (_, place, _) = &known[usize::from(*mark) % known.len()];
        let file = directory.path().join(place);
        std::fs::create_dir_all(file.parent().expect("a place")).expect("a directory");
        std::fs::write(&file, text).expect("a file");
        if let Ok(catalogue) = Catalogue::load(&[directory.path()]) {
            page::list(&catalogue, true, false);
        }
        std::fs::remove_file(&file).expect("the file");
    });
}

#[test]
fn resolv_conf() {
    let seeds = [
        "# generated\nnameserver 10.0.0.4\nnameserver 168.63.129.16\nsearch corp.example b.example\noptions ndots:5 timeout:2 attempts:1\n",
        "nameserver fe80::1%eth0\ndomain x\nsortlist 130.155.160.0/255.255.240.0 130.155.0.0\noptions rotate edns0\n",
    ];
    let words: [&[u8]; 9] = [
        b"nameserver ",
        b"nameserver\t",
        b"search ",
        b"options ",
        b"ndots:",
        b"%",
        b"99999999999",
        b"\0",
        b"sortlist 1.2.3.4/",
    ];
    fuzz("resolv-conf", seeds.map(|text| text.as_bytes().to_vec()).to_vec(), &words, |input| {
        fuzzing::resolv_conf(&String::from_utf8_lossy(input));
    });
}

#[test]
fn hosts() {
    let names = ["login.microsoftonline.com".to_owned(), "orders.postgres.database.azure.com".to_owned()];
    let seeds = [
        "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n10.0.0.4\tlogin.microsoftonline.com # a comment\n",
        "fe80::1%eth0 orders.postgres.database.azure.com LOGIN.microsoftonline.com\n256.1.1.1 login.microsoftonline.com\n",
    ];
    let words: [&[u8]; 7] = [b"login.microsoftonline.com", b"10.0.0.4 ", b"::", b"#", b"\n", b"\xff", b"\xe2\x80\xae"];
    fuzz("hosts", seeds.map(|text| text.as_bytes().to_vec()).to_vec(), &words, |input| {
        fuzzing::hosts(&String::from_utf8_lossy(input), &names);
    });
}

#[test]
fn arguments() {
    let seeds = [
        "orders.postgres.database.azure.com:5432",
        "[fd00::1]:5432",
        "10.0.0.4:53",
        "http://user:p%40ss@proxy.example:3128",
        "login.microsoftonline.com:443:[::1]:8443",
        ".example.com,10.0.0.0/8,*,127.0.0.1:80",
        "1.5s",
        "10m",
    ];
    let words: [&[u8]; 12] =
        [b"[", b"]", b":", b"%", b"://", b"@", b"/", b"*", b"..", b"::", b"\xe2\x80\xae", b"99999999999999999999"];
    fuzz("arguments", seeds.map(|text| text.as_bytes().to_vec()).to_vec(), &words, |input| {
        let text = String::from_utf8_lossy(input);
        let _ =
            (parse_server(&text, 5432), parse_port(&text, "--port"), parse_nameserver(&text), parse_duration(&text));
        let _ =
            (text.parse::<ConnectTo>().is_ok(), exempt(&text, "login.microsoftonline.com"), page::visible(&text).len());
        if let Ok(proxy) = Proxy::parse(&text, "HTTPS_PROXY") {
            assert!(proxy.password().is_none_or(|password| password.len() < 4) || !proxy.shown().is_empty());
        }
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new(text.chars().take(300).collect()));
        let _ = redactor.clean(&text);
    });
}
