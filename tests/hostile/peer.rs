//! A peer on loopback that plays a script to everybody who connects, and keeps what it was told.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::{JoinError, JoinHandle};
use tokio_rustls::TlsAcceptor;

use super::act::Act;
use super::trust::Trusted;

/// A peer keeps so much of what it is told.
const KEPT: usize = 256 * 1024;
/// Nobody keeps a connection longer than a run may last.
const LONGEST: Duration = Duration::from_secs(20);

pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// What was received: in clear, or inside TLS.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<Conversation>>>);

#[derive(Clone, Default)]
pub struct Conversation {
    pub clear: Vec<u8>,
    pub inside: Vec<u8>,
    /// Why the peer's own side ended before its script did.
    pub ended: Option<String>,
    /// True when that was a defect of the peer.
    pub broke: bool,
}

impl Heard {
    pub fn all(&self) -> Vec<Conversation> {
        self.0.lock().expect("no peer panics").clone()
    }

    pub fn open(&self) -> usize {
        let mut all = self.0.lock().expect("no peer panics");
        all.push(Conversation::default());
        all.len() - 1
    }

    pub fn end(&self, place: usize, why: &io::Error) {
        self.0.lock().expect("no peer panics")[place].ended = Some(format!("{:?}: {why}", why.kind()));
    }

    fn broke(&self, why: &JoinError) {
        let ended = Some(why.to_string());
        self.0.lock().expect("no peer panics").push(Conversation { ended, broke: true, ..Conversation::default() });
    }

    pub fn add(&self, place: usize, inside: bool, bytes: &[u8]) {
        let mut all = self.0.lock().expect("no peer panics");
        let kept = if inside { &mut all[place].inside } else { &mut all[place].clear };
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// A running peer; it ends when it is dropped.
pub struct Peer {
    pub port: u16,
    pub heard: Heard,
    task: JoinHandle<()>,
}

impl Peer {
    pub fn new(port: u16, heard: Heard, task: JoinHandle<()>) -> Peer {
        Peer { port, heard, task }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where all hostile peers live.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// Starts a peer on a port of the system's choosing.
pub fn start(script: Vec<Act>, trusted: &Arc<Trusted>) -> Peer {
    let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
    let port = listener.local_addr().expect("a port").port();
    let heard = Heard::default();
    let task = runtime().spawn(serve(listener, script, trusted.clone(), heard.clone()));
    Peer { port, heard, task }
}

pub async fn serve(listener: TcpListener, script: Vec<Act>, trusted: Arc<Trusted>, heard: Heard) {
    let script = Arc::new(script);
    let mut conversations = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            // A peer that panics has not done what its row says: that must not look like a client's finding.
            Some(ended) = conversations.join_next() => {
                if let Err(error) = ended {
                    heard.broke(&error);
                }
                continue;
            }
        };
        let Ok((stream, _)) = stream else { continue };
        let (script, trusted, heard) = (script.clone(), trusted.clone(), heard.clone());
        conversations.spawn(async move {
            let _ = tokio::time::timeout(LONGEST, play(stream, &script, &trusted, &heard)).await;
        });
    }
}

/// Plays a script on one connection.
pub async fn play(stream: TcpStream, script: &[Act], trusted: &Trusted, heard: &Heard) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    // A reset at the end must be arranged at the start.
    if script.iter().any(|act| matches!(act, Act::Reset)) {
        stream.set_zero_linger()?;
    }
    let place = heard.open();
    let mut wire: Box<dyn Wire> = Box::new(stream);
    let mut inside = false;
    let mut said = Vec::new();
    for act in script {
        match act {
            Act::Expect(prefix) => {
                said = listen(&mut wire, prefix).await?;
                heard.add(place, inside, &said);
            }
            Act::Unless(prefix, answer) => {
                said = hear(&mut wire, prefix).await?;
                heard.add(place, inside, &said);
                if said.starts_with(prefix) {
                    wire.write_all(answer).await?;
                    wire.shutdown().await?;
                    break;
                }
            }
            Act::Send(bytes) => wire.write_all(bytes).await?,
            Act::Answer(answer) => wire.write_all(&answer(&said)).await?,
            Act::Echo(before, behind) => wire.write_all(&[before, &said[..], behind].concat()).await?,
            Act::Repeat(bytes, times) => {
                for _ in 0..*times {
                    wire.write_all(bytes).await?;
                }
            }
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    tokio::time::sleep(*pause).await;
                    wire.write_all(&[*byte]).await?;
                    wire.flush().await?;
                }
            }
            Act::Sleep(pause) => tokio::time::sleep(*pause).await,
            Act::Tls(shown) => {
                let acceptor = TlsAcceptor::from(trusted.side(*shown));
                wire = Box::new(acceptor.accept(wire).await.inspect_err(|error| heard.end(place, error))?);
                inside = true;
            }
            Act::Close => {
                wire.flush().await?;
                wire.shutdown().await?;
                break;
            }
            Act::Reset => {
                wire.flush().await?;
                return Ok(());
            }
            Act::Deaf => {
                tokio::time::sleep(LONGEST).await;
                return Ok(());
            }
        }
        wire.flush().await?;
    }
    // Whatever the client still says is kept: it may be a secret.
    let mut rest = vec![0; 16 * 1024];
    loop {
        let count = wire.read(&mut rest).await?;
        if count == 0 {
            return Ok(());
        }
        heard.add(place, inside, &rest[..count]);
    }
}

async fn listen(wire: &mut Box<dyn Wire>, prefix: &[u8]) -> io::Result<Vec<u8>> {
    let said = hear(wire, prefix).await?;
    if said.starts_with(prefix) { Ok(said) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Reads until there is as much as was expected; a head of HTTP is read to its end.
async fn hear(wire: &mut Box<dyn Wire>, prefix: &[u8]) -> io::Result<Vec<u8>> {
    // Room for a whole message: a vector without any is filled by 64 bytes at a time.
    let mut said = Vec::with_capacity(64 * 1024);
    let http = ["GET", "CONNECT", "POST"].iter().any(|method| prefix.starts_with(method.as_bytes()));
    loop {
        if said.len() >= prefix.len().max(1) && (!http || said.windows(4).any(|window| window == b"\r\n\r\n")) {
            break;
        }
        if wire.read_buf(&mut said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(said)
}
