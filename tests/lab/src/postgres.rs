//! A flexible server, by hand: SSLRequest, TLS, the start, one authentication, one query. Protocol 3.0 (PostgreSQL documentation, chapter 54).

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::catalogs::{Catalogs, statements};
use crate::http::{farewell, linger};
use crate::scenario::{After, Asks, At, PgError, Reads, Received, Server, Ssl};
use crate::select::{self, Session};
use crate::tap::{Ledger, Tap, lock};
use crate::tls::Side;

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const VERSION_3: i32 = 3 << 16;
/// Startup parameters that PgBouncer takes (its documentation, ignore_startup_parameters).
const TRACKED: [&str; 5] =
    ["client_encoding", "datestyle", "timezone", "standard_conforming_strings", "application_name"];
/// A message longer than this is nobody's token.
const MESSAGE: usize = 128 * 1024;

pub struct Postgres {
    pub wanted: Server,
    pub side: Side,
    pub user: String,
    pub catalogs: Catalogs,
    pub token: String,
    pub ledger: Ledger,
    /// Every password that was received, as it was.
    pub passwords: Arc<Mutex<Vec<Vec<u8>>>>,
    pub connected: AtomicU32,
}

/// What a client names when it starts.
#[derive(Default)]
struct Start {
    user: String,
    database: String,
    /// Whatever else.
    more: Vec<String>,
}

impl Postgres {
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let times = self.wanted.times;
            let well = times > 0 && self.connected.fetch_add(1, Ordering::Relaxed) >= times;
            let server = if well { Arc::new(self.well()) } else { self.clone() };
            tokio::spawn(async move {
                // A client that goes away is normal.
                let _ = server.converse(stream).await;
            });
        }
    }

    /// The same server, as it is once all is well.
    fn well(&self) -> Postgres {
        Postgres {
            wanted: self.wanted.well(),
            side: self.side.clone().well(),
            user: self.user.clone(),
            catalogs: self.catalogs.clone(),
            token: self.token.clone(),
            ledger: self.ledger.clone(),
            passwords: Arc::clone(&self.passwords),
            connected: AtomicU32::default(),
        }
    }

    async fn converse(&self, stream: TcpStream) -> io::Result<()> {
        self.side.prepare(&stream);
        if self.wanted.ssl == Ssl::Reset {
            stream.set_zero_linger()?;
        }
        let record = self.ledger.open("server");
        let mut stream = Tap::new(stream, record.clone());
        if self.wanted.ssl == Ssl::Ssh {
            stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await?;
            linger(&mut stream).await;
            return Ok(());
        }
        let mut request = first(&mut stream).await?;
        while request.0 == GSS_REQUEST {
            stream.write_all(b"N").await?;
            request = first(&mut stream).await?;
        }
        if request.0 != SSL_REQUEST {
            return self.without_tls(&mut stream, request).await;
        }
        match self.wanted.ssl {
            Ssl::S => stream.write_all(b"S").await?,
            Ssl::N => {
                stream.write_all(b"N").await?;
                let request = first(&mut stream).await?;
                return self.without_tls(&mut stream, request).await;
            }
            Ssl::E => {
                let error = if self.wanted.error.message.is_empty() {
                    ("53300".to_owned(), "sorry, too many clients already".to_owned())
                } else {
                    self.error(&Start::default())
                };
                stream.write_all(&error_response(&error.0, &error.1)).await?;
                farewell(&mut stream).await;
                return Ok(());
            }
            Ssl::Silent => {
                linger(&mut stream).await;
                return Ok(());
            }
            Ssl::Closed => {
                farewell(&mut stream).await;
                return Ok(());
            }
            Ssl::Http => {
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><h1>400 Bad Request</h1></html>").await?;
                farewell(&mut stream).await;
                return Ok(());
            }
            // An answer that somebody on the way has lengthened (CVE-2021-23222).
            Ssl::ExtraBytes => {
                stream
                    .write_all(&[&b"S"[..], &error_response("28000", "injected before the handshake")].concat())
                    .await?
            }
            Ssl::Reset | Ssl::Ssh => return Ok(()),
        }
        let Some(stream) = self.side.accept(stream).await else { return Ok(()) };
        let mut stream = Tap::new(stream, record);
        let (version, body) = first(&mut stream).await?;
        if version != VERSION_3 {
            stream.write_all(&error_response("0A000", "unsupported frontend protocol")).await?;
            return Ok(());
        }
        let start = parse_start(&body);
        if self.authenticate(&mut stream, &start).await? {
            self.session(&mut stream, &start).await?;
        }
        farewell(&mut stream).await;
        Ok(())
    }

    /// A start without TLS is refused as `require_secure_transport` has it.
    async fn without_tls<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        (_, body): (i32, Vec<u8>),
    ) -> io::Result<()> {
        let start = parse_start(&body);
        let text = format!(
            "no pg_hba.conf entry for host \"10.0.0.4\", user \"{}\", database \"{}\", no encryption",
            start.user, start.database
        );
        stream.write_all(&error_response("28000", &text)).await?;
        farewell(stream).await;
        Ok(())
    }

    /// `true` when the session may begin.
    async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, start: &Start) -> io::Result<bool> {
        if self.wanted.error.at == Some(At::BeforeToken) {
            return self.refuse(stream, start).await;
        }
        // PgBouncer keeps track of few parameters and refuses all others.
        let odd = start.more.iter().find(|name| !TRACKED.contains(&name.as_str()));
        if let Some(odd) = odd.filter(|_| self.wanted.port == 6432) {
            stream.write_all(&error_response("08P01", &format!("unsupported startup parameter: {odd}"))).await?;
            return Ok(false);
        }
        let asks = if self.wanted.role && start.user == self.user { self.wanted.asks } else { mock(self.wanted.asks) };
        let request: &[u8] = match asks {
            Asks::Cleartext => &3_i32.to_be_bytes(),
            Asks::Md5 => &[0, 0, 0, 5, 0x1f, 0x8a, 0x03, 0x77],
            Asks::Gss => &7_i32.to_be_bytes(),
            Asks::Scram => b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
            Asks::Nothing => return self.accepted(stream, start).await,
            Asks::Silent => {
                linger(stream).await;
                return Ok(false);
            }
            Asks::Closed => return Ok(false),
        };
        stream.write_all(&message(b'R', request)).await?;
        stream.flush().await?;
        let (kind, mut body) = next(stream).await?;
        if kind != b'p' {
            return Ok(false);
        }
        while body.last() == Some(&0) {
            body.pop();
        }
        lock(&self.passwords).push(body.clone());
        match self.wanted.token {
            Received::Answered => {}
            Received::Silent => {
                linger(stream).await;
                return Ok(false);
            }
            Received::Closed => return Ok(false),
        }

        if self.wanted.error.at == Some(At::AfterToken) {
            return self.refuse(stream, start).await;
        }
        if asks != Asks::Cleartext {
            let text = format!("password authentication failed for user \"{}\"", start.user);
            stream.write_all(&error_response("28P01", &text)).await?;
            return Ok(false);
        }
        if body != self.token.as_bytes() {
            let text = "The access token has invalid format. Please ensure the token is passed exactly as returned by the authentication endpoint and retry.";
            stream.write_all(&error_response("28000", text)).await?;
            return Ok(false);
        }
        self.accepted(stream, start).await
    }

    async fn accepted<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, start: &Start) -> io::Result<bool> {
        stream.write_all(&message(b'R', &0_i32.to_be_bytes())).await?;
        if self.wanted.error.at == Some(At::AfterAuthentication) {
            return self.refuse(stream, start).await;
        }
        stream.flush().await?;
        match self.wanted.after {
            After::Ready => Ok(true),
            After::Silent => {
                linger(stream).await;
                Ok(false)
            }
            After::Closed => Ok(false),
        }
    }

    async fn session<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, start: &Start) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (name, value) in [
            ("server_version", "16.9"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("TimeZone", "UTC"),
            ("is_superuser", "off"),
            ("session_authorization", &start.user),
        ] {
            bytes.extend(message(b'S', format!("{name}\0{value}\0").as_bytes()));
        }
        let mut rng = Rng::new();
        bytes.extend(message(b'K', &[rng.u32(1000..90_000).to_be_bytes(), rng.u32(..).to_be_bytes()].concat()));
        bytes.extend(message(b'Z', b"I"));
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        loop {
            let (kind, body) = next(stream).await?;
            let mut reply = match kind {
                b'X' => return Ok(()),
                b'Q' => match self.answer(&body, start) {
                    Some(reply) => reply,
                    None => {
                        linger(stream).await;
                        return Ok(());
                    }
                },
                _ => refusal("ERROR", "0A000", "only simple queries are answered here"),
            };
            reply.extend(message(b'Z', b"I"));
            stream.write_all(&reply).await?;
            stream.flush().await?;
        }
    }

    /// The answer to a query of one or more statements; nothing when it never comes.
    fn answer(&self, query: &[u8], start: &Start) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(query).trim_end_matches('\0').to_owned();
        let session = Session { user: &start.user, database: &start.database, tls: true };
        let mut reply = Vec::new();
        for statement in statements(&text) {
            if statement.starts_with("set ") {
                reply.extend(message(b'C', b"SET\0"));
                continue;
            }
            let rows = match self.catalogs.rows(statement, &start.user, &start.database) {
                Some(_) if self.catalogs.reads == Reads::Silent => return None,
                Some(Ok(rows)) => rows,
                Some(Err((sqlstate, text))) => return Some([reply, refusal("ERROR", sqlstate, &text)].concat()),
                None => match select::row(statement, &session) {
                    Some(row) => vec![row],
                    None => return Some([reply, refusal("ERROR", "42501", "permission denied")].concat()),
                },
            };
            reply.extend(table(&rows));
        }
        Some(reply)
    }

    async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, start: &Start) -> io::Result<bool> {
        let (sqlstate, text) = self.error(start);
        stream.write_all(&error_response(&sqlstate, &text)).await?;
        stream.flush().await?;
        Ok(false)
    }

    fn error(&self, start: &Start) -> (String, String) {
        let PgError { sqlstate, message, .. } = &self.wanted.error;
        (sqlstate.clone(), message.replace("{user}", &start.user).replace("{database}", &start.database))
    }
}

/// What an unknown user is asked for where a known one is asked for a token.
fn mock(asks: Asks) -> Asks {
    if asks == Asks::Cleartext { Asks::Scram } else { asks }
}

/// The first message: its length, a code, and the rest.
async fn first<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(i32, Vec<u8>)> {
    let length = usize::try_from(stream.read_i32().await?)
        .ok()
        .filter(|length| (8..=MESSAGE).contains(length))
        .ok_or(io::ErrorKind::InvalidData)?;
    let code = stream.read_i32().await?;
    let mut body = vec![0; length - 8];
    stream.read_exact(&mut body).await?;
    Ok((code, body))
}

async fn next<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_i32().await?)
        .ok()
        .filter(|length| (4..=MESSAGE).contains(length))
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

fn parse_start(body: &[u8]) -> Start {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split('\0').collect();
    let find = |wanted: &str| {
        words
            .chunks(2)
            .find(|pair| pair.first() == Some(&wanted))
            .and_then(|pair| pair.get(1))
            .map(|value| (*value).to_owned())
    };
    let user = find("user").unwrap_or_default();
    let named = words.chunks(2).filter(|pair| pair.len() == 2 && !pair[0].is_empty()).map(|pair| pair[0].to_owned());
    let more = named.filter(|name| !["user", "database"].contains(&name.as_str())).collect();
    Start { database: find("database").unwrap_or_else(|| user.clone()), user, more }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn error_response(sqlstate: &str, text: &str) -> Vec<u8> {
    refusal("FATAL", sqlstate, text)
}

fn refusal(severity: &str, sqlstate: &str, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [
        ('S', severity),
        ('V', severity),
        ('C', sqlstate),
        ('M', text),
        ('F', "auth.c"),
        ('L', "353"),
        ('R', "auth_failed"),
    ] {
        body.push(field as u8);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    message(b'E', &body)
}

fn table(rows: &[Vec<Option<String>>]) -> Vec<u8> {
    let count = |row: &Vec<Option<String>>| i16::try_from(row.len()).unwrap_or(i16::MAX).to_be_bytes();
    let columns = rows.first().map_or(0, Vec::len);
    let mut description = i16::try_from(columns).unwrap_or(i16::MAX).to_be_bytes().to_vec();
    // No table, no column, type text, its length, no modifier, format text.
    description.extend(b"?column?\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0".repeat(columns));
    let mut reply = message(b'T', &description);
    for row in rows {
        let mut data = count(row).to_vec();
        for value in row {
            match value {
                Some(value) => {
                    data.extend_from_slice(&i32::try_from(value.len()).unwrap_or(0).to_be_bytes());
                    data.extend_from_slice(value.as_bytes());
                }
                None => data.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
        reply.extend(message(b'D', &data));
    }
    reply.extend(message(b'C', format!("SELECT {}\0", rows.len()).as_bytes()));
    reply
}
