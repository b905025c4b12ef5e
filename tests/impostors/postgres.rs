//! An impostor of the server. It takes a start in clear as gladly as one in TLS, and asks for the password in whatever way it is told to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::scenario::Tls;
use lab::secrets::Secret;
use lab::tap::{Ledger, Record, Tap};
use lab::tls::Side;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{Trust, runtime};

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const LONGEST: i32 = 128 * 1024;
const PATIENCE: Duration = Duration::from_millis(500);

/// The answer to SSLRequest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ssl {
    Refused,
    /// A demand for the password, in clear, instead of an answer.
    Demand,
    Accepted(Tls),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Cleartext,
    Md5,
    Scram,
    Gss,
    /// Nothing: whoever comes is let in.
    Trust,
    /// In clear, and the password comes back in the error's text.
    Echo,
}

/// One row of the matrix.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub ssl: Ssl,
    pub asks: Asks,
}

impl Row {
    /// Whether a client that verifies may send its token inside TLS: the machine trusts this chain for this name, and a password in clear is asked for.
    pub fn may_have_it(&self) -> bool {
        matches!(self.ssl, Ssl::Accepted(Tls::Ok | Tls::InspectedTrusted))
            && matches!(self.asks, Asks::Cleartext | Asks::Echo)
    }
}

const fn row(name: &'static str, ssl: Ssl, asks: Asks) -> Row {
    Row { name, ssl, asks }
}

pub const ROWS: [Row; 16] = [
    row("no TLS ('N')", Ssl::Refused, Asks::Cleartext),
    row("no TLS, MD5", Ssl::Refused, Asks::Md5),
    row("no TLS, lets everybody in", Ssl::Refused, Asks::Trust),
    row("demand instead of TLS", Ssl::Demand, Asks::Cleartext),
    row("self-signed", Ssl::Accepted(Tls::SelfSigned), Asks::Cleartext),
    row("wrong name", Ssl::Accepted(Tls::WrongName), Asks::Cleartext),
    row("expired", Ssl::Accepted(Tls::Expired), Asks::Cleartext),
    row("not yet valid", Ssl::Accepted(Tls::NotYetValid), Asks::Cleartext),
    row("unknown authority", Ssl::Accepted(Tls::UnknownIssuer), Asks::Cleartext),
    row("unknown authority, SCRAM", Ssl::Accepted(Tls::UnknownIssuer), Asks::Scram),
    row("trusted, MD5", Ssl::Accepted(Tls::Ok), Asks::Md5),
    row("trusted, SCRAM", Ssl::Accepted(Tls::Ok), Asks::Scram),
    row("trusted, GSS", Ssl::Accepted(Tls::Ok), Asks::Gss),
    row("trusted, lets everybody in", Ssl::Accepted(Tls::Ok), Asks::Trust),
    row("trusted inspection", Ssl::Accepted(Tls::InspectedTrusted), Asks::Cleartext),
    row("trusted, echoes it", Ssl::Accepted(Tls::Ok), Asks::Echo),
];

/// What an impostor got out of its clients.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Got {
    pub clear: bool,
    pub inside: bool,
    /// Something that the password was the input of: it can be guessed at offline.
    pub derived: bool,
}

/// A running impostor; it ends when it is dropped.
pub struct Impostor {
    pub port: u16,
    peer: Arc<Peer>,
    task: JoinHandle<()>,
}

struct Peer {
    row: Row,
    side: Option<Side>,
    clear: Ledger,
    inside: Ledger,
    derived: AtomicBool,
    met: Mutex<usize>,
}

impl Impostor {
    pub fn start(row: Row, host: &str, trust: &Trust) -> Impostor {
        let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let side = match row.ssl {
            Ssl::Accepted(tls) => Some(trust.side(host, tls)),
            Ssl::Refused | Ssl::Demand => None,
        };
        let peer = Peer {
            row,
            side,
            clear: Ledger::default(),
            inside: Ledger::default(),
            derived: AtomicBool::new(false),
            met: Mutex::default(),
        };
        let peer = Arc::new(peer);
        let task = runtime().spawn(peer.clone().serve(listener));
        Impostor { port, peer, task }
    }

    pub fn got(&self, secret: &Secret) -> Got {
        let found = |ledger: &Ledger| ledger.all().iter().any(|(_, bytes)| secret.found(bytes).is_some());
        Got {
            clear: found(&self.peer.clear),
            inside: found(&self.peer.inside),
            derived: self.peer.derived.load(Ordering::SeqCst),
        }
    }

    /// How often the whole secret was received.
    pub fn times(&self, secret: &Secret) -> usize {
        let all = [self.peer.clear.all(), self.peer.inside.all()].concat();
        all.iter().map(|(_, bytes)| secret.count(bytes)).sum()
    }

    /// How many came.
    pub fn met(&self) -> usize {
        *self.peer.met.lock().expect("no peer panics")
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            *self.met.lock().expect("no peer panics") += 1;
            let peer = self.clone();
            // A client that goes away is what this is about.
            tokio::spawn(async move { drop(peer.converse(stream).await) });
        }
    }

    async fn converse(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = Tap::new(stream, self.clear.open("in clear"));
        loop {
            match start(&mut stream).await? {
                GSS_REQUEST => stream.write_all(b"N").await?,
                SSL_REQUEST => match (&self.side, self.row.ssl) {
                    (Some(side), _) => {
                        stream.write_all(b"S").await?;
                        let record: Record = self.inside.open("in TLS");
                        let Some(stream) = side.accept(stream).await else { return Ok(()) };
                        let mut stream = Tap::new(stream, record);
                        start(&mut stream).await?;
                        return self.authenticate(&mut stream).await;
                    }
                    (None, Ssl::Demand) => return self.authenticate(&mut stream).await,
                    (None, _) => stream.write_all(b"N").await?,
                },
                _ => return self.authenticate(&mut stream).await,
            }
        }
    }

    async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> io::Result<()> {
        let request: &[u8] = match self.row.asks {
            Asks::Cleartext | Asks::Echo => &[0, 0, 0, 3],
            Asks::Md5 => &[0, 0, 0, 5, b's', b'a', b'l', b't'],
            Asks::Scram => b"\0\0\0\x0aSCRAM-SHA-256\0\0",
            Asks::Gss => &[0, 0, 0, 7],
            Asks::Trust => &[0, 0, 0, 0],
        };
        stream.write_all(&message(b'R', request)).await?;
        if self.row.asks == Asks::Trust {
            stream.write_all(&message(b'Z', b"I")).await?;
        }
        let said = answer(stream).await?;
        match self.row.asks {
            Asks::Md5 if said.starts_with(b"md5") => self.derived.store(true, Ordering::SeqCst),
            Asks::Scram => {
                let text = String::from_utf8_lossy(&said).into_owned();
                let nonce = text.split("r=").nth(1).unwrap_or_default();
                let challenge = format!("r={nonce}impostor,s=c2FsdHNhbHQ=,i=1");
                stream.write_all(&message(b'R', &[b"\0\0\0\x0b", challenge.as_bytes()].concat())).await?;
                let proof = answer(stream).await?;
                if proof.windows(3).any(|window| window == b",p=") {
                    self.derived.store(true, Ordering::SeqCst);
                }
            }
            _ => {}
        }
        let text = match self.row.asks {
            Asks::Echo => format!("token rejected: {}", String::from_utf8_lossy(&said).trim_end_matches('\0')),
            _ => "password authentication failed".to_owned(),
        };
        stream.write_all(&message(b'E', format!("SFATAL\0C28P01\0M{text}\0\0").as_bytes())).await?;
        stream.shutdown().await?;
        // Whatever the client still says is heard.
        while tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1024]))
            .await
            .is_ok_and(|read| read.is_ok_and(|n| n > 0))
        {}
        Ok(())
    }
}

/// The code of a message without a kind: a start, or a request before it.
async fn start<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<i32> {
    let length = stream.read_i32().await?;
    let code = stream.read_i32().await?;
    body(stream, length - 4).await?;
    Ok(code)
}

async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    stream.read_u8().await?;
    let length = stream.read_i32().await?;
    body(stream, length).await
}

async fn body<S: AsyncRead + Unpin>(stream: &mut S, length: i32) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length.min(LONGEST) - 4).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or_default();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}
