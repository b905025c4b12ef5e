//! Doors of the fuzz targets: bytes that a peer sends go to the parser that reads them, through memory or loopback. Not a part of the API:
//! nothing of this program calls it, and it may change at any time.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;

use crate::evidence::{Detail, GraphQuestion, HostsEntry, MetadataReply, PrincipalLookup, Recorder, TokenRequest};
use crate::failure::Outcome;
use crate::net::form::Answer;
use crate::net::postgres::{Login, Step, request_ssl};
use crate::net::socks::Goal;
use crate::net::tls::{Trust, handshake};
use crate::net::{dns as nameserver, http, proxy, resolver_files};
use crate::probe::{application, metadata, principal};
use crate::secret::Secret;
use crate::target::proxy::Proxy;

/// Nobody waits here: what a peer has to say is there at once, and then it hangs up.
const PATIENCE: Duration = Duration::from_secs(3);
const SUBJECT: &str = "fuzzing";

fn run<T>(work: impl Future<Output = T>) -> T {
    thread_local!(static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// An answer of a nameserver. Its id is set right; what then is no answer to the question is followed by one that is.
pub fn dns(bytes: &[u8]) {
    run(async {
        let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { return };
        let Ok(address) = socket.local_addr() else { return };
        let server = async {
            let mut question = [0; 1500];
            let Ok((length, from)) = socket.recv_from(&mut question).await else { return };
            let mut answer = bytes.get(..bytes.len().min(60_000)).unwrap_or_default().to_vec();
            for (byte, id) in answer.iter_mut().zip(&question[..2]) {
                *byte = *id;
            }
            let _ = socket.send_to(&answer, from).await;
            // NXDOMAIN, with the question.
            question[2..4].copy_from_slice(&[0x81, 0x83]);
            let _ = socket.send_to(&question[..length], from).await;
        };
        let recorder = Recorder::new();
        let client = nameserver::ask(&recorder, SUBJECT, address, "login.microsoftonline.com", RecordType::A, PATIENCE);
        let _ = tokio::join!(client, server);
    });
}

/// A proxy's answer to CONNECT.
pub fn connect_reply(bytes: &[u8]) {
    tunnel("http", bytes);
}

/// A proxy's answers over SOCKS5.
pub fn socks_reply(bytes: &[u8]) {
    tunnel("socks5h", bytes);
}

fn tunnel(scheme: &str, bytes: &[u8]) {
    let Ok(proxy) = Proxy::parse(&format!("{scheme}://user:a-password-of-the-proxy@127.0.0.1:3128"), "HTTPS_PROXY")
    else {
        return;
    };
    let goal = Goal { host: "login.microsoftonline.com".to_owned(), port: 443, address: None };
    run(async {
        let Some((ours, mut theirs)) = pair() else { return };
        let recorder = Recorder::new();
        let client = proxy::connect(&recorder, SUBJECT, ours, &proxy, &goal, PATIENCE);
        let _ = tokio::join!(client, say(&mut theirs, bytes));
    });
}

/// The answer to SSLRequest.
pub fn ssl_answer(bytes: &[u8]) {
    run(async {
        let Some((mut ours, mut theirs)) = pair() else { return };
        let _ = tokio::join!(request_ssl(&mut ours, PATIENCE), say(&mut theirs, bytes));
    });
}

/// A reply to a GET.
pub fn http_reply(bytes: &[u8]) {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let server = async {
            let _ = theirs.read(&mut [0; 4096]).await;
            let _ = theirs.write_all(bytes).await;
            let _ = theirs.shutdown().await;
            let _ = theirs.read(&mut [0; 4096]).await;
        };
        let (reply, ()) = tokio::join!(http::get(ours, "login.microsoftonline.com", "/", PATIENCE), server);
        if let Ok(reply) = reply {
            let _ = (reply.kept_headers(), reply.date());
        }
    });
}

/// A token endpoint's body: Entra's own, with a status.
pub fn token_reply(status: u16, body: &[u8]) -> bool {
    let recorder = Recorder::new();
    let mut detail = TokenRequest::default();
    let answer = Answer { status, body: body.to_vec(), retry_after: None };
    let token = application::read(&recorder, &mut detail, &answer);
    keep(&recorder, Detail::TokenRequest(Box::new(detail)), token.is_ok())
}

/// The metadata service's body, with a status: a token's, or the instance document.
pub fn metadata_reply(status: u16, body: &[u8]) -> bool {
    let recorder = Recorder::new();
    let mut detail = MetadataReply::default();
    let answer = http::Reply { status, headers: hyper::HeaderMap::new(), body: body.to_vec() };
    let token = metadata::read(&recorder, &mut detail, &answer);
    detail.instance = serde_json::from_slice(body).ok().as_ref().and_then(metadata::document);
    keep(&recorder, Detail::Metadata(detail), token.is_ok())
}

/// Answers of Microsoft Graph to the question about a name, one for each collection: a status and a body. What was read of them is what a lookup keeps.
pub fn graph_answers(name: &str, answers: &[(u16, Vec<u8>)]) -> Detail {
    let mut lookup =
        PrincipalLookup { asked: "principal".to_owned(), name: name.to_owned(), ..PrincipalLookup::default() };
    for (collection, (status, body)) in ["users", "groups", "servicePrincipals"].into_iter().zip(answers) {
        let mut question = GraphQuestion { collection: collection.to_owned(), ..GraphQuestion::default() };
        let answer = Answer { status: *status, body: body.clone(), retry_after: None };
        let more = principal::page(&mut question, &mut lookup.found, "graph.microsoft.com", &answer);
        if let Ok(Some(link)) = more {
            assert!(link.starts_with("https://graph.microsoft.com/v1.0/"), "the token would go to {link}");
        }
        lookup.questions.push(question);
    }
    let recorder = Recorder::new();
    recorder.note(SUBJECT, Outcome::Ok, Detail::Principal(lookup));
    let kept = recorder.observations().pop().map(|seen| seen.detail);
    kept.expect("what was read can be kept")
}

/// Records what was read; whether a token was found.
fn keep(recorder: &Recorder, detail: Detail, found: bool) -> bool {
    recorder.note(SUBJECT, Outcome::Ok, detail);
    assert!(recorder.observations().len() == 1, "what was read cannot be kept");
    found
}

/// resolv.conf. Never more than glibc asks.
pub fn resolv_conf(text: &str) {
    let (nameservers, notes) = resolver_files::resolv_conf(Some(text), |name| u32::try_from(name.len()).ok());
    assert!(nameservers.len() <= 3 && notes.len() <= 3, "{} nameservers, {} notes", nameservers.len(), notes.len());
    let _ = resolver_files::fatal_domain(text);
}

/// The hosts file, and names that are looked for in it.
pub fn hosts(text: &str, names: &[String]) {
    let found = resolver_files::hosts(text, names);
    let asked = |entry: &HostsEntry| names.iter().any(|name| name.eq_ignore_ascii_case(&entry.name));
    assert!(found.len() <= 64 && found.iter().all(asked), "{} entries", found.len());
}

/// A peer that shows this chain, and the client that trusts its root.
pub struct Peer {
    server: Arc<ServerConfig>,
    key: Arc<CertifiedKey>,
    trust: Trust,
}

impl Peer {
    /// # Errors
    /// When chain and key do not fit.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        root: CertificateDer<'static>,
    ) -> Result<Peer, rustls::Error> {
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        let key = Arc::new(certified);
        let server = Arc::new(config(Shown(key.clone()))?);
        Ok(Peer { server, key, trust: Trust::load(&[root]) })
    }

    /// Everything that a server sends inside TLS: a login that gives its token, and a query.
    pub fn login(&self, host: &str, bytes: &[u8]) {
        run(async {
            let (ours, theirs) = tokio::io::duplex(1024 * 1024);
            let recorder = Recorder::new();
            let client = async {
                let Ok(stream) =
                    handshake(&recorder, SUBJECT, (ours, None), host, (&self.trust, true), PATIENCE, None).await
                else {
                    return;
                };
                let mut login = Login::new(stream, PATIENCE);
                let _ = sign_in(&mut login).await;
                login.end().await;
            };
            let server = async {
                let Ok(mut stream) = TlsAcceptor::from(self.server.clone()).accept(theirs).await else { return };
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
                while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
            };
            tokio::join!(client, server)
        });
    }

    /// A certificate, shown with a key that is not its own.
    pub fn certificate(&self, host: &str, der: &[u8]) {
        let shown = CertifiedKey::new(vec![CertificateDer::from(der.to_vec())], self.key.key.clone());
        let Ok(server) = config(Shown(Arc::new(shown))) else { return };
        run(async {
            let (ours, theirs) = tokio::io::duplex(1024 * 1024);
            let recorder = Recorder::new();
            let client = handshake(&recorder, SUBJECT, (ours, None), host, (&self.trust, false), PATIENCE, None);
            let server = TlsAcceptor::from(Arc::new(server)).accept(theirs);
            let _ = tokio::join!(async { drop(client.await) }, async { drop(server.await) });
        });
    }
}

/// Shows the same chain to everybody.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

fn config(shown: Shown) -> Result<ServerConfig, rustls::Error> {
    Ok(ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown)))
}

async fn sign_in(login: &mut Login<tokio_rustls::client::TlsStream<DuplexStream>>) -> Option<()> {
    let done = |step| matches!(step, Ok(Step::Done(_))).then_some(());
    let Ok(Step::Done(_)) = login.start("app", "postgres").await else { return None };
    done(login.send_token(&Secret::new("a-token-of-the-fuzzer".to_owned())).await)?;
    done(login.ready().await)?;
    login.ask(&["select 1".to_owned(), "select 2".to_owned()]).await.ok()?;
    while let Ok(Step::Done(_)) = login.answer().await {}
    Some(())
}

/// Two ends of a connection: a socket is a socket, whatever its family.
fn pair() -> Option<(TcpStream, TcpStream)> {
    let (one, other) = UnixStream::pair().ok()?;
    let stream = |end: UnixStream| {
        end.set_nonblocking(true).ok()?;
        TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(end))).ok()
    };
    Some((stream(one)?, stream(other)?))
}

async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.read(&mut [0; 1024]).await;
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
}
