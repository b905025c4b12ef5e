//! The PostgreSQL login, step by step: the authentication request is read before anything is sent, and the token can be
//! written only to a verified stream. Messages are bounded; the protocol is version 3.0 (PostgreSQL documentation, chapter 54).

use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::{backend, frontend};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroize;

use super::tls::{Verified, stream_failed};
use super::{Failed, failed, within};
use crate::evidence::ServerError;
use crate::failure::Outcome;
use crate::secret::Secret;

const MESSAGE: usize = 64 * 1024;
/// All that a server may send in one step.
const STEP: usize = 256 * 1024;
/// No question of ours has more rows for an answer.
const ROWS: usize = 64;

/// Rows of columns, each a text or null.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

pub(crate) trait Stream: AsyncReadExt + AsyncWriteExt + Unpin {}
impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Stream for S {}

/// The answer to SSLRequest.
pub(crate) enum Ssl {
    Accepted,
    Refused,
    Error(Box<ServerError>),
    /// Bytes before the handshake, which a later layer would take for encrypted (CVE-2021-23222).
    ExtraBytes,
    NotPostgres(String),
}

/// Asks for TLS and reads exactly one byte of answer.
pub(crate) async fn request_ssl(stream: &mut tokio::net::TcpStream, patience: Duration) -> Result<Ssl, Failed> {
    within(patience, async {
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await.map_err(|error| failed(&error))?;
        let answer = stream.read_u8().await.map_err(|error| failed(&error))?;
        let mut ahead = [0; 64];
        // Whatever came in the same breath is already here; a byte that is still on its way will break the handshake.
        let more = stream.try_read(&mut ahead).unwrap_or(0);
        Ok(match answer {
            // A banner of another protocol may begin with S too: SSH's does.
            b'S' if more > 0
                && ahead[..more].iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) =>
            {
                Ssl::NotPostgres(super::quote(&[&[answer], &ahead[..more]].concat()))
            }
            b'S' if more > 0 => Ssl::ExtraBytes,
            b'S' => Ssl::Accepted,
            b'N' => Ssl::Refused,
            b'E' => {
                let mut bytes = BytesMut::from(&[&[answer], &ahead[..more]].concat()[..]);
                match next(stream, &mut bytes, &mut 0).await {
                    Ok(backend::Message::ErrorResponse(body)) => Ssl::Error(Box::new(server_error(&body))),
                    _ => Ssl::NotPostgres(super::quote(&bytes)),
                }
            }
            _ => {
                let mut rest = vec![answer];
                rest.extend_from_slice(&ahead[..more]);
                if more == 0 {
                    let _ = tokio::time::timeout(Duration::from_millis(100), stream.read_buf(&mut rest)).await;
                }
                Ssl::NotPostgres(super::quote(&rest))
            }
        })
    })
    .await
}

/// What the server asks of this user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Cleartext,
    Md5,
    Scram,
    Nothing,
    Other,
}

impl Asks {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Asks::Cleartext => "cleartext",
            Asks::Md5 => "md5",
            Asks::Scram => "scram",
            Asks::Nothing => "nothing",
            Asks::Other => "other",
        }
    }
}

/// How a step ended when the server answered at all.
pub(crate) enum Step<T> {
    Done(T),
    Error(Box<ServerError>),
}

/// A conversation with a server whose certificate was verified.
pub(crate) struct Login<S> {
    stream: Verified<S>,
    buffer: BytesMut,
    patience: Duration,
}

impl<S: Stream> Login<S> {
    pub(crate) fn new(stream: Verified<S>, patience: Duration) -> Login<S> {
        Login { stream, buffer: BytesMut::with_capacity(4096), patience }
    }

    /// Names the user and reads what the server asks for.
    pub(crate) async fn start(&mut self, user: &str, database: &str) -> Result<Step<Asks>, Failed> {
        let mut request = BytesMut::new();
        let parameters = [
            ("user", user),
            ("database", database),
            ("application_name", "entra-preflight"),
            ("client_encoding", "UTF8"),
        ];
        frontend::startup_message(parameters, &mut request).map_err(|error| failed(&error))?;
        let patience = self.patience;
        within(patience, async {
            self.send(&request).await?;
            let mut spent = 0;
            loop {
                let asks = match self.next(&mut spent).await? {
                    backend::Message::AuthenticationCleartextPassword => Asks::Cleartext,
                    backend::Message::AuthenticationMd5Password(_) => Asks::Md5,
                    backend::Message::AuthenticationSasl(_) => Asks::Scram,
                    backend::Message::AuthenticationOk => Asks::Nothing,
                    backend::Message::ErrorResponse(body) => return Ok(Step::Error(Box::new(server_error(&body)))),
                    backend::Message::NoticeResponse(_) | backend::Message::ParameterStatus(_) => continue,
                    _ => Asks::Other,
                };
                return Ok(Step::Done(asks));
            }
        })
        .await
    }

    /// Sends the token as the password that was asked for in clear, inside verified TLS.
    pub(crate) async fn send_token(&mut self, token: &Secret) -> Result<Step<()>, Failed> {
        let mut message = BytesMut::with_capacity(token.len() + 16);
        frontend::password_message(token.expose().as_bytes(), &mut message).map_err(|error| failed(&error))?;
        let patience = self.patience;
        let result = within(patience, async {
            self.send(&message).await?;
            let mut spent = 0;
            loop {
                match self.next(&mut spent).await? {
                    backend::Message::AuthenticationOk => return Ok(Step::Done(())),
                    backend::Message::ErrorResponse(body) => return Ok(Step::Error(Box::new(server_error(&body)))),
                    backend::Message::NoticeResponse(_) | backend::Message::ParameterStatus(_) => {}
                    _ => {
                        return Err((
                            Outcome::Garbage,
                            Some(
                                "the server answered the password with something else than acceptance or an error"
                                    .to_owned(),
                            ),
                        ));
                    }
                }
            }
        })
        .await;
        message.as_mut().zeroize();
        result
    }

    /// Waits until the session is ready.
    pub(crate) async fn ready(&mut self) -> Result<Step<()>, Failed> {
        let patience = self.patience;
        within(patience, async {
            let mut spent = 0;
            loop {
                match self.next(&mut spent).await? {
                    backend::Message::ReadyForQuery(_) => return Ok(Step::Done(())),
                    backend::Message::ErrorResponse(body) => return Ok(Step::Error(Box::new(server_error(&body)))),
                    backend::Message::NoticeResponse(_)
                    | backend::Message::ParameterStatus(_)
                    | backend::Message::BackendKeyData(_) => {}
                    _ => {
                        return Err((
                            Outcome::Garbage,
                            Some("an unexpected message before the session was ready".to_owned()),
                        ));
                    }
                }
            }
        })
        .await
    }

    /// Sends simple queries in one flight. Each is a transaction of its own, and each has its [`Login::answer`].
    pub(crate) async fn ask(&mut self, queries: &[String]) -> Result<(), Failed> {
        let mut request = BytesMut::new();
        for query in queries {
            frontend::query(query, &mut request).map_err(|error| failed(&error))?;
        }
        let patience = self.patience;
        within(patience, self.send(&request)).await
    }

    /// The answer to the next query: the rows of its last select, as text. An error ends the query and not the session, unless it is fatal.
    pub(crate) async fn answer(&mut self) -> Result<Step<Rows>, Failed> {
        let patience = self.patience;
        let mut refusal = None;
        let answered = within(patience, self.rows(&mut refusal)).await;
        match refusal {
            Some(error) => Ok(Step::Error(error)),
            None => answered.map(Step::Done),
        }
    }

    async fn rows(&mut self, refusal: &mut Option<Box<ServerError>>) -> Result<Rows, Failed> {
        let mut spent = 0;
        let mut rows = Rows::new();
        loop {
            match self.next(&mut spent).await? {
                backend::Message::DataRow(body) if rows.len() < ROWS => rows.push(columns(&body)),
                backend::Message::ReadyForQuery(_) => return Ok(rows),
                backend::Message::ErrorResponse(body) => {
                    let error = server_error(&body);
                    let fatal = error.severity != "ERROR";
                    *refusal = refusal.take().or(Some(Box::new(error)));
                    if fatal {
                        return Ok(rows);
                    }
                }
                backend::Message::RowDescription(_)
                | backend::Message::CommandComplete(_)
                | backend::Message::DataRow(_)
                | backend::Message::NoticeResponse(_)
                | backend::Message::ParameterStatus(_) => {}
                _ => return Err((Outcome::Garbage, Some("an unexpected message in answer to a query".to_owned()))),
            }
        }
    }

    /// Says goodbye; nobody waits for an answer.
    pub(crate) async fn end(mut self) {
        let mut request = BytesMut::new();
        frontend::terminate(&mut request);
        let _ = tokio::time::timeout(Duration::from_millis(200), self.send(&request)).await;
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let stream = self.stream.stream();
        stream.write_all(bytes).await.map_err(|error| stream_failed(&error))?;
        stream.flush().await.map_err(|error| stream_failed(&error))
    }

    async fn next(&mut self, spent: &mut usize) -> Result<backend::Message, Failed> {
        next(self.stream.stream(), &mut self.buffer, spent).await
    }
}

/// The next message. Its length is checked before a byte of it is waited for.
async fn next<S: Stream>(stream: &mut S, buffer: &mut BytesMut, spent: &mut usize) -> Result<backend::Message, Failed> {
    loop {
        if let Some(header) = buffer.get(1..5) {
            let length = i32::from_be_bytes([header[0], header[1], header[2], header[3]]);
            if !(4..=MESSAGE as i32).contains(&length) {
                return Err((Outcome::TooLarge, Some(format!("a message that claims to have {length} bytes"))));
            }
            let whole = length as usize + 1;
            if buffer.len() >= whole {
                *spent += whole;
                if *spent > STEP {
                    return Err((Outcome::TooLarge, Some(format!("more than {STEP} bytes in one step of the login"))));
                }
                return match backend::Message::parse(buffer) {
                    Ok(Some(message)) => Ok(message),
                    Ok(None) => Err((Outcome::Garbage, Some("a message shorter than it claims".to_owned()))),
                    Err(error) => Err((Outcome::Garbage, Some(error.to_string()))),
                };
            }
        }
        if stream.read_buf(buffer).await.map_err(|error| stream_failed(&error))? == 0 {
            return Err((Outcome::Closed, Some("the server closed the connection".to_owned())));
        }
    }
}

fn columns(body: &backend::DataRowBody) -> Vec<Option<String>> {
    use postgres_protocol::message::backend::DataRowRanges;
    fn all(mut ranges: DataRowRanges<'_>, bytes: &[u8]) -> Vec<Option<String>> {
        let mut columns = Vec::new();
        while columns.len() < 16 {
            let Ok(Some(range)) = fallible_iterator::FallibleIterator::next(&mut ranges) else { break };
            columns.push(range.and_then(|range| bytes.get(range)).map(super::quote));
        }
        columns
    }
    all(body.ranges(), body.buffer())
}

fn server_error(body: &backend::ErrorResponseBody) -> ServerError {
    let mut error = ServerError::default();
    let mut fields = body.fields();
    while let Ok(Some(field)) = fallible_iterator::FallibleIterator::next(&mut fields) {
        let text = super::quote(field.value_bytes());
        match field.type_() {
            b'V' => error.severity = text,
            b'S' if error.severity.is_empty() => error.severity = text,
            b'C' => error.sqlstate = text,
            b'M' => error.message = text,
            b'D' => error.detail = Some(text),
            b'H' => error.hint = Some(text),
            b'R' => error.routine = Some(text),
            _ => {}
        }
    }
    error
}
