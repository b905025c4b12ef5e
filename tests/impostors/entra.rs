//! Impostors of the login host: unverified, or verified and treacherous (a compromised appliance, a redirect, a discovery document that
//! names somebody else's endpoint). What proves an application goes to the verified login host's own token endpoint, once, and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::http::{self, Request};
use lab::scenario::Tls;
use lab::secrets::leaks;
use lab::tap::{Ledger, Tap};
use lab::tls::Side;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{Trust, ours, runtime};
use crate::stories;

const LOGIN: &str = "login.microsoftonline.com";

/// What a login host that was verified answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trick {
    /// 307 to another host, which keeps the method and the body.
    Redirect,
    /// 302 to another host, in clear.
    RedirectInClear,
    /// A discovery document whose token endpoint, issuer and keys are another host's.
    ForeignEndpoint,
    /// An error that says back whatever was posted.
    Echo,
    /// A page of HTML that refreshes to another host.
    Page,
    /// A token response that is not one, with a foreign place to go on.
    Challenge,
}

const TRICKS: [(&str, Tls, Trick); 11] = [
    ("self-signed", Tls::SelfSigned, Trick::Echo),
    ("wrong name", Tls::WrongName, Trick::Echo),
    ("expired", Tls::Expired, Trick::Echo),
    ("unknown authority", Tls::UnknownIssuer, Trick::Echo),
    ("trusted inspection, redirects", Tls::InspectedTrusted, Trick::Redirect),
    ("redirects", Tls::Ok, Trick::Redirect),
    ("redirects to HTTP", Tls::Ok, Trick::RedirectInClear),
    ("foreign token endpoint", Tls::Ok, Trick::ForeignEndpoint),
    ("echoes", Tls::Ok, Trick::Echo),
    ("a page that refreshes", Tls::Ok, Trick::Page),
    ("a challenge", Tls::Ok, Trick::Challenge),
];

/// A login host, and the place that it lures to.
struct Lure {
    port: u16,
    ledger: Ledger,
    lured: Arc<AtomicUsize>,
    tasks: [JoinHandle<()>; 2],
}

impl Lure {
    fn start(side: Side, trick: Trick) -> Lure {
        let bind = || runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let (login, elsewhere) = (bind(), bind());
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let (port, evil) = (port(&login), port(&elsewhere));
        let (ledger, lured) = (Ledger::default(), Arc::new(AtomicUsize::new(0)));
        let (counted, kept) = (lured.clone(), ledger.clone());
        let tasks = [
            runtime().spawn(async move {
                while let Ok((stream, _)) = login.accept().await {
                    tokio::spawn(answer(stream, side.clone(), trick, evil, kept.clone()));
                }
            }),
            runtime().spawn(async move {
                while elsewhere.accept().await.is_ok() {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            }),
        ];
        Lure { port, ledger, lured, tasks }
    }
}

impl Drop for Lure {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn answer(stream: TcpStream, side: Side, trick: Trick, evil: u16, ledger: Ledger) -> Option<()> {
    let stream = side.accept(Tap::new(stream, ledger.open("login in clear"))).await?;
    let mut stream = Tap::new(stream, ledger.open("login"));
    let mut buffer = Vec::new();
    while let Some(request) = http::read(&mut stream, &mut buffer).await {
        stream.write_all(&reply(&request, trick, evil)).await.ok()?;
        stream.flush().await.ok()?;
    }
    Some(())
}

fn reply(request: &Request, trick: Trick, evil: u16) -> Vec<u8> {
    let elsewhere = format!("https://127.0.0.1:{evil}/common/oauth2/v2.0/token");
    let posted = String::from_utf8_lossy(&request.body).into_owned();
    let (head, body) = match trick {
        Trick::Redirect => (format!("307 Temporary Redirect\r\nLocation: {elsewhere}"), String::new()),
        Trick::RedirectInClear => {
            (format!("302 Found\r\nLocation: {}", elsewhere.replacen("https", "http", 1)), String::new())
        }
        Trick::ForeignEndpoint if request.method == "GET" => {
            let body = format!(
                r#"{{"token_endpoint":"{elsewhere}","issuer":"https://127.0.0.1:{evil}/","jwks_uri":"{elsewhere}","authorization_endpoint":"{elsewhere}"}}"#
            );
            ("200 OK\r\nContent-Type: application/json".to_owned(), body)
        }
        Trick::Page => {
            let body = format!("<html><meta http-equiv=refresh content='0;url={elsewhere}'>{posted}</html>");
            (format!("200 OK\r\nContent-Type: text/html\r\nRefresh: 0;url={elsewhere}"), body)
        }
        Trick::Challenge => {
            let head = format!(
                "401 Unauthorized\r\nWWW-Authenticate: Bearer authorization=\"{elsewhere}\"\r\nLocation: {elsewhere}\r\nLink: <{elsewhere}>"
            );
            (head, posted)
        }
        Trick::Echo | Trick::ForeignEndpoint => {
            let text = format!("AADSTS7000215: Invalid client secret provided: {posted}");
            let body =
                serde_json::json!({ "error": "invalid_client", "error_description": text, "error_codes": [7000215] });
            (format!("401 Unauthorized\r\nContent-Type: application/json\r\nServer: {posted}"), body.to_string())
        }
    };
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn no_impostor_of_the_login_host_gets_more_than_its_due() {
    let trust = Trust::new();
    let _turn = stories::turn();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let trust = &trust;
        let threads: Vec<_> =
            ours::CREDENTIALS.iter().map(|from| scope.spawn(move || all_tricks(trust, from))).collect();
        for thread in threads {
            wrong.extend(thread.join().expect("a run"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn all_tricks(trust: &Trust, from: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let world = ours::world(from);
    for (name, tls, trick) in TRICKS {
        let lure = Lure::start(trust.side(LOGIN, tls), trick);
        let said = ours::run(&world, trust, &[format!("{LOGIN}:443:127.0.0.1:{}", lure.port)]);
        let mut told = Vec::new();
        if lure.lured.load(Ordering::SeqCst) > 0 {
            told.push("the program went where it was lured".to_owned());
        }
        let received = lure.ledger.all();
        if received.is_empty() {
            told.push("nobody came to the impostor".to_owned());
        }
        // Only a login host whose certificate was verified may be told who the application is.
        let verified = matches!(tls, Tls::Ok | Tls::InspectedTrusted);
        for mut secret in world.secrets().to_vec() {
            if !verified {
                secret.may.clear();
            }
            told.extend(leaks(&[secret], &said.places(), &received));
        }
        if !matches!(said.exit, Some(0 | 1)) {
            told.push(format!("status {:?}", said.exit));
        }
        wrong.extend(told.into_iter().map(|told| format!("{name} x {from}: {told}")));
    }
    wrong.extend(ours::once_a_run(&world, TRICKS.len()).into_iter().map(|told| format!("{from}: {told}")));
    wrong
}
