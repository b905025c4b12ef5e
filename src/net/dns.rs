//! One question to one nameserver: UDP from a connected socket (so that ICMP refusals are seen), TCP after truncation.
//!
//! hickory's messages are used, not its resolver: a resolver hides which server answered, the chain of a negative
//! answer, and the difference between silence and refusal.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

use super::{Failed, failed};
use crate::evidence::{Detail, DnsChanged, DnsComparison, DnsQuery, IcmpError, Recorder};
use crate::failure::Outcome;

mod message;

use message::{Form, Question};

/// A lost datagram must not look like a dead server: ask again after these pauses, within the patience.
const RESEND: [Duration; 2] = [Duration::from_millis(350), Duration::from_millis(1200)];
/// How often a question without EDNS must be answered while the same one with it is not, and how long each round is waited for.
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(150);
/// How long a second reply to one question is waited for.
const LINGER: Duration = Duration::from_millis(150);

/// Asks `nameserver` for `name` and keeps what came back, which is also returned.
pub(crate) async fn ask(
    recorder: &Recorder,
    subject: &str,
    nameserver: SocketAddr,
    name: &str,
    record_type: RecordType,
    patience: Duration,
) -> DnsQuery {
    let mut seen = blank(nameserver, name, record_type);
    let mut pending =
        recorder.begin(subject, format!("{record_type} of {name} at {nameserver}"), Detail::DnsQuery(seen.clone()));
    let mut attempts = 1;
    let beside = Mutex::new("silent");
    let result = {
        let conversation = super::within(patience, converse(&mut seen, record_type, &mut attempts));
        let tcp = over_tcp_beside(nameserver, name, record_type, &beside);
        let plain = without_edns_beside(nameserver, name, record_type);
        tokio::pin!(conversation, tcp, plain);
        let mut tcp_is_over = false;
        loop {
            tokio::select! {
                biased;
                result = &mut conversation => break Heard::Ended(result),
                () = &mut tcp, if !tcp_is_over => tcp_is_over = true,
                heard = &mut plain => break Heard::Beside(Box::new(heard)),
            }
        }
    };
    let result = match result {
        Heard::Ended(result) => result,
        Heard::Beside(heard) => {
            let (question, answer, dropped) = *heard;
            seen.edns = dropped.then(|| "dropped".to_owned());
            super::within(patience, take(&mut seen, &question, answer)).await
        }
    };
    if matches!(result, Err((Outcome::Timeout, _))) && !seen.truncated {
        let word = *beside.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.tcp = Some(word.to_owned());
    }
    pending.attempts = attempts;
    let (outcome, error) = told(&seen, result);
    pending.detail = Detail::DnsQuery(seen.clone());
    pending.end(outcome, error);
    seen
}

enum Heard {
    Ended(Result<(), Failed>),
    /// An answer to a question of its own, and whether those with EDNS are dropped.
    Beside(Box<(Question, Message, bool)>),
}

/// Puts a question with one thing changed, beside a doubtful answer.
pub(crate) async fn compare(
    recorder: &Recorder,
    subject: &str,
    changed: DnsChanged,
    nameserver: SocketAddr,
    name: &str,
    record_type: RecordType,
    patience: Duration,
) -> DnsQuery {
    let mut seen = blank(nameserver, name, record_type);
    if changed == DnsChanged::OverTcp {
        seen.transport = "tcp".to_owned();
    }
    let detail =
        |changed, query: &DnsQuery| Detail::DnsComparison(Box::new(DnsComparison { changed, query: query.clone() }));
    let mut pending = recorder.begin(subject, "", detail(changed, &seen));
    let form = if changed == DnsChanged::CheckingDisabled { Form::CheckingDisabled } else { Form::Ordinary };
    let mut second = None;
    let until = Instant::now() + patience;
    let result = super::within(patience, async {
        let question = Question::new(name, record_type, form)?;
        if changed == DnsChanged::OverTcp {
            let answer = over_tcp(nameserver, &question).await?;
            question.fill(&mut seen, &answer);
            return Ok(());
        }
        // Nobody answers there, as a rule: one datagram is enough.
        let resend = changed != DnsChanged::Unroutable;
        let linger = (changed == DnsChanged::Again).then_some(until);
        let mut replies = replies(nameserver, &question, linger, resend).await?.into_iter();
        if let Some(answer) = replies.next() {
            question.fill(&mut seen, &answer);
        }
        second = replies.next().map(|answer| {
            let mut seen = blank(nameserver, name, record_type);
            question.fill(&mut seen, &answer);
            seen
        });
        Ok(())
    })
    .await;
    let (outcome, error) = told(&seen, result);
    pending.detail = detail(changed, &seen);
    pending.end(outcome, error);
    if let Some(second) = second {
        let (outcome, error) = told(&second, Ok(()));
        recorder.begin(subject, "", detail(DnsChanged::SecondReply, &second)).end(outcome, error);
    }
    seen
}

fn blank(nameserver: SocketAddr, name: &str, record_type: RecordType) -> DnsQuery {
    DnsQuery {
        nameserver,
        name: name.to_owned(),
        record_type: record_type.to_string(),
        transport: "udp".to_owned(),
        truncated: false,
        rcode: None,
        authoritative: false,
        recursion_available: false,
        addresses: Vec::new(),
        chain: Vec::new(),
        ttl_s: None,
        soa_zone: None,
        soa_server: None,
        soa_ttl_s: None,
        soa_additional: false,
        referral: false,
        extended_errors: Vec::new(),
        edns: None,
        unsent: false,
        icmp: None,
        tcp: None,
    }
}

fn told(seen: &DnsQuery, result: Result<(), Failed>) -> Failed {
    match result {
        Ok(()) if seen.rcode.as_deref() == Some("NOERROR") => (Outcome::Ok, None),
        Ok(()) => (Outcome::Rejected, seen.rcode.clone()),
        Err(failure) => failure,
    }
}

/// Beside an unanswered UDP question: does TCP 53 answer, or at least connect? A dead server and a filtered way differ in it.
async fn over_tcp_beside(nameserver: SocketAddr, name: &str, record_type: RecordType, said: &Mutex<&'static str>) {
    let say = |word| *said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = word;
    tokio::time::sleep(RESEND[0]).await;
    let Ok(question) = Question::new(name, record_type, Form::Ordinary) else { return };
    match TcpStream::connect(nameserver).await {
        Ok(stream) => {
            say("connects");
            if exchange_tcp(stream, &question.bytes).await.is_ok() {
                say("answers");
            }
        }
        Err(error) if Outcome::of_io(&error) == Outcome::Refused => say("refused"),
        Err(_) => {}
    }
}

/// Beside an unanswered question: whether those without EDNS are answered and those with it never. Most stub resolvers ask without it.
async fn without_edns_beside(nameserver: SocketAddr, name: &str, record_type: RecordType) -> (Question, Message, bool) {
    tokio::time::sleep(RESEND[0]).await;
    let forms = [Form::Ordinary, Form::Ordinary, Form::WithoutEdns];
    if let [Ok(with), Ok(other), Ok(without)] = forms.map(|form| Question::new(name, record_type, form)) {
        for round in 1.. {
            let ask = |question| once(nameserver, question, ROUND);
            // Two with it for one without, and in turn, so that a loss which has a rhythm is not taken for a drop.
            let (heard, second, plain) = if round % 2 == 0 {
                tokio::join!(ask(&with), ask(&other), ask(&without))
            } else {
                let (plain, heard, second) = tokio::join!(ask(&without), ask(&with), ask(&other));
                (heard, second, plain)
            };
            match (heard, second, plain) {
                (Some(answer), _, _) => return (with, answer, false),
                (None, Some(answer), _) => return (other, answer, false),
                (None, None, Some(answer)) if round == ROUNDS => return (without, answer, true),
                (None, None, Some(_)) => {}
                (None, None, None) => break,
            }
        }
    }
    std::future::pending().await
}

async fn converse(seen: &mut DnsQuery, record_type: RecordType, attempts: &mut u32) -> Result<(), Failed> {
    let mut question = Question::new(&seen.name, record_type, Form::Ordinary)?;
    let mut answer = over_udp(seen, &question, attempts).await?;
    if knows_no_edns(&answer) {
        let plain = Question::new(&seen.name, record_type, Form::WithoutEdns)?;
        if let Some(second) = soon(seen.nameserver, &plain).await.filter(|answer| !knows_no_edns(answer)) {
            seen.edns = Some("rejected".to_owned());
            (question, answer) = (plain, second);
        }
    }
    // As stub resolvers do (glibc: options attempts): a failure may be over when one looks again.
    if matches!(answer.metadata.response_code, ResponseCode::ServFail | ResponseCode::Refused) {
        tokio::time::sleep(RESEND[0] / 4).await;
        *attempts += 1;
        answer = soon(seen.nameserver, &question).await.unwrap_or(answer);
    }
    take(seen, &question, answer).await
}

/// A server that is older than EDNS says so, and is asked again without (RFC 6891, 7).
fn knows_no_edns(answer: &Message) -> bool {
    matches!(answer.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp) && answer.edns.is_none()
}

/// Keeps an answer; a truncated one is asked for over TCP.
async fn take(seen: &mut DnsQuery, question: &Question, answer: Message) -> Result<(), Failed> {
    let mut answer = answer;
    if answer.metadata.truncation {
        seen.truncated = true;
        seen.transport = "tcp".to_owned();
        answer = over_tcp(seen.nameserver, question).await?;
    }
    question.fill(seen, &answer);
    Ok(())
}

/// A socket that speaks with this nameserver only.
async fn connected(nameserver: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr =
        if nameserver.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    super::host::keep_icmp(socket.as_fd(), nameserver.is_ipv6(), true);
    socket.connect(nameserver).await?;
    Ok(socket)
}

/// What came instead of an answer.
#[derive(Default)]
struct Odd {
    malformed: Option<String>,
    icmp: Option<IcmpError>,
}

/// Routes and neighbours may come back (RFC 1122, 3.2.2.1): such news alone ends no question, as it ends none of other programs.
fn may_pass(icmp: &IcmpError) -> bool {
    match (icmp.from.is_ipv4(), icmp.kind) {
        (true, 3) => matches!(icmp.code, 0 | 1 | 5 | 11 | 12),
        (false, 1) => matches!(icmp.code, 0 | 2 | 3),
        _ => true,
    }
}

/// The next answer to the question. What is forged or late is passed over: the true answer may still come.
async fn receive(socket: &UdpSocket, question: &Question, odd: &mut Odd) -> io::Result<Message> {
    let mut buffer = vec![0; 65_535];
    loop {
        let length = match socket.recv(&mut buffer).await {
            Ok(length) => length,
            Err(error) => {
                let Some(icmp) = super::host::icmp_error(socket.as_fd()) else { return Err(error) };
                odd.icmp = Some(IcmpError { to: socket.local_addr().ok().map(|own| own.ip()), ..icmp });
                if may_pass(&icmp) {
                    continue;
                }
                return Err(error);
            }
        };
        match Message::from_vec(&buffer[..length]) {
            Ok(answer) if question.is_answered_by(&answer) => return Ok(answer),
            Ok(_) => {}
            Err(error) => odd.malformed = Some(error.to_string()),
        }
    }
}

/// One datagram, and the answer that comes within `wait`.
async fn once(nameserver: SocketAddr, question: &Question, wait: Duration) -> Option<Message> {
    let exchange = async {
        let socket = connected(nameserver).await?;
        socket.send(&question.bytes).await?;
        receive(&socket, question, &mut Odd::default()).await
    };
    tokio::time::timeout(wait, exchange).await.ok()?.ok()
}

/// One datagram, and another one for a lost one: there is an answer already, so patience is short.
async fn soon(nameserver: SocketAddr, question: &Question) -> Option<Message> {
    match once(nameserver, question, RESEND[0]).await {
        Some(answer) => Some(answer),
        None => once(nameserver, question, RESEND[0]).await,
    }
}

/// One datagram, or a second one for a lost one, and another answer that comes soon after the first, well before the time to `linger` is over.
async fn replies(
    nameserver: SocketAddr,
    question: &Question,
    linger: Option<Instant>,
    resend: bool,
) -> Result<Vec<Message>, Failed> {
    let socket = connected(nameserver).await.map_err(|error| failed(&error))?;
    socket.send(&question.bytes).await.map_err(|error| failed(&error))?;
    let mut odd = Odd::default();
    let mut sent_again = false;
    let first = match tokio::time::timeout(RESEND[0], receive(&socket, question, &mut odd)).await {
        Ok(first) => first,
        Err(_) => {
            if resend {
                sent_again = true;
                socket.send(&question.bytes).await.map_err(|error| failed(&error))?;
            }
            receive(&socket, question, &mut odd).await
        }
    };
    let mut heard = vec![first.map_err(|error| failed(&error))?];
    // Two datagrams may have two replies, and prove nothing.
    if !sent_again
        && let Some(until) = linger
        && let left = until.saturating_duration_since(Instant::now())
        && let Ok(Ok(second)) = tokio::time::timeout(LINGER.min(left / 2), receive(&socket, question, &mut odd)).await
    {
        heard.push(second);
    }
    Ok(heard)
}

async fn over_udp(seen: &mut DnsQuery, question: &Question, attempts: &mut u32) -> Result<Message, Failed> {
    let mut odd = Odd::default();
    let mut pauses = RESEND.into_iter();
    let mut refusals = 0;
    loop {
        // A fresh port a try: an answer to an older try is not lost, for the socket is asked until the next pause ends.
        let pause = pauses.next();
        let exchange = async {
            let socket = connected(seen.nameserver).await.inspect_err(|error| {
                seen.unsent = Outcome::of_io(error) == Outcome::NetworkUnreachable;
            })?;
            socket.send(&question.bytes).await?;
            receive(&socket, question, &mut odd).await
        };
        let result: io::Result<Message> = match pause {
            Some(pause) => match tokio::time::timeout(pause, exchange).await {
                Ok(result) => result,
                Err(_) if odd.malformed.is_some() => return Err((Outcome::Garbage, odd.malformed)),
                Err(_) => {
                    *attempts += 1;
                    continue;
                }
            },
            None => exchange.await,
        };
        seen.icmp = odd.icmp;
        match result {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                refusals += 1;
                if refusals > 1 {
                    return Err(failed(&error));
                }
                *attempts += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn over_tcp(nameserver: SocketAddr, question: &Question) -> Result<Message, Failed> {
    let stream = TcpStream::connect(nameserver).await.map_err(|error| failed(&error))?;
    let answer = exchange_tcp(stream, &question.bytes).await.map_err(|error| failed(&error))?;
    match Message::from_vec(&answer) {
        Ok(answer) if question.is_answered_by(&answer) => Ok(answer),
        Ok(_) => Err((Outcome::Garbage, Some("the answer is to another question".to_owned()))),
        Err(error) => Err((Outcome::Garbage, Some(error.to_string()))),
    }
}

/// One message each way, with its length before it (RFC 1035, 4.2.2).
async fn exchange_tcp(mut stream: TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
