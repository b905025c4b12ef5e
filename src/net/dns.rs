//! One question to one nameserver: UDP from a connected socket (so that ICMP refusals are seen), TCP after truncation.
//!
//! hickory's messages are used, not its resolver: a resolver hides which server answered, the chain of a negative
//! answer, and the difference between silence and refusal.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::{Failed, failed};
use crate::evidence::{Detail, DnsQuery, Recorder};
use crate::failure::Outcome;

/// A lost datagram must not look like a dead server: ask again after these pauses, within the patience.
const RESEND: [Duration; 2] = [Duration::from_millis(350), Duration::from_millis(1200)];
const CHAIN: usize = 16;
const ADDRESSES: usize = 64;

/// Asks `nameserver` for `name` and keeps what came back. The addresses are also returned.
pub(crate) async fn ask(
    recorder: &Recorder,
    subject: &str,
    nameserver: SocketAddr,
    name: &str,
    record_type: RecordType,
    patience: Duration,
) -> DnsQuery {
    let query = DnsQuery {
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
        tcp: None,
    };
    let mut pending =
        recorder.begin(subject, format!("{record_type} of {name} at {nameserver}"), Detail::DnsQuery(query.clone()));
    let mut seen = query;
    let mut attempts = 1;
    let beside = Mutex::new("silent");
    let result = {
        let conversation = super::within(patience, converse(&mut seen, record_type, &mut attempts));
        let comparison = over_tcp_beside(nameserver, name, record_type, &beside);
        tokio::pin!(conversation);
        tokio::select! {
            biased;
            result = &mut conversation => result,
            () = comparison => conversation.await,
        }
    };
    if matches!(result, Err((Outcome::Timeout, _))) && !seen.truncated {
        let word = *beside.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.tcp = Some(word.to_owned());
    }
    pending.attempts = attempts;
    let (outcome, error) = match result {
        Ok(()) if seen.rcode.as_deref() == Some("NOERROR") => (Outcome::Ok, None),
        Ok(()) => (Outcome::Rejected, seen.rcode.clone()),
        Err(failure) => failure,
    };
    pending.detail = Detail::DnsQuery(seen.clone());
    pending.end(outcome, error);
    seen
}

/// Beside an unanswered UDP question: does TCP 53 answer, or at least connect? A dead server and a filtered way differ in it.
async fn over_tcp_beside(nameserver: SocketAddr, name: &str, record_type: RecordType, said: &Mutex<&'static str>) {
    let say = |word| *said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = word;
    tokio::time::sleep(RESEND[0]).await;
    let Ok((_, _, bytes)) = question(name, record_type) else { return };
    match TcpStream::connect(nameserver).await {
        Ok(stream) => {
            say("connects");
            if exchange_tcp(stream, &bytes).await.is_ok() {
                say("answers");
            }
        }
        Err(error) if Outcome::of_io(&error) == Outcome::Refused => say("refused"),
        Err(_) => {}
    }
}

/// Always the whole name, with its final dot: search lists are the system resolver's business.
fn question(name: &str, record_type: RecordType) -> Result<(Message, Query, Vec<u8>), Failed> {
    let other = |error: &dyn std::fmt::Display| (Outcome::Other, Some(error.to_string()));
    let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|error| other(&error))?;
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    let mut asked = Query::query(name, record_type);
    asked.set_query_class(DNSClass::IN);
    question.add_query(asked.clone());
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    question.edns = Some(edns);
    let bytes = question.to_vec().map_err(|error| other(&error))?;
    Ok((question, asked, bytes))
}

async fn converse(seen: &mut DnsQuery, record_type: RecordType, attempts: &mut u32) -> Result<(), Failed> {
    let (question, asked, bytes) = question(&seen.name, record_type)?;
    let name = asked.name().clone();
    let matches = |answer: &Message| {
        // An error may come without its question; records that come without it are anybody's.
        let without = answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError;
        answer.metadata.id == question.metadata.id
            && answer.metadata.message_type == MessageType::Response
            && (without || answer.queries.first() == Some(&asked))
    };

    let mut answer = over_udp(seen.nameserver, &bytes, &matches, attempts).await?;
    if answer.metadata.truncation {
        seen.truncated = true;
        seen.transport = "tcp".to_owned();
        answer = over_tcp(seen.nameserver, &bytes, &matches).await?;
    }
    fill(seen, &answer, &name, record_type);
    Ok(())
}

async fn over_udp(
    nameserver: SocketAddr,
    bytes: &[u8],
    matches: &impl Fn(&Message) -> bool,
    attempts: &mut u32,
) -> Result<Message, Failed> {
    let any: SocketAddr =
        if nameserver.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let mut malformed = None;
    let mut pauses = RESEND.into_iter();
    let mut refusals = 0;
    loop {
        // A fresh port a try: an answer to an older try is not lost, for the socket is asked until the next pause ends.
        let socket = UdpSocket::bind(any).await.map_err(|error| failed(&error))?;
        let pause = pauses.next();
        let exchange = async {
            socket.connect(nameserver).await?;
            socket.send(bytes).await?;
            let mut buffer = vec![0; 65_535];
            loop {
                let length = socket.recv(&mut buffer).await?;
                match Message::from_vec(&buffer[..length]) {
                    Ok(answer) if matches(&answer) => return Ok(answer),
                    // Forged or late: the true answer may still come.
                    Ok(_) => {}
                    Err(error) => malformed = Some(error.to_string()),
                }
            }
        };
        let result: io::Result<Message> = match pause {
            Some(pause) => match tokio::time::timeout(pause, exchange).await {
                Ok(result) => result,
                Err(_) if malformed.is_some() => return Err((Outcome::Garbage, malformed)),
                Err(_) => {
                    *attempts += 1;
                    continue;
                }
            },
            None => exchange.await,
        };
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

async fn over_tcp(
    nameserver: SocketAddr,
    bytes: &[u8],
    matches: &impl Fn(&Message) -> bool,
) -> Result<Message, Failed> {
    let stream = TcpStream::connect(nameserver).await.map_err(|error| failed(&error))?;
    let answer = exchange_tcp(stream, bytes).await.map_err(|error| failed(&error))?;
    match Message::from_vec(&answer) {
        Ok(answer) if matches(&answer) => Ok(answer),
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

fn fill(seen: &mut DnsQuery, answer: &Message, name: &Name, record_type: RecordType) {
    seen.rcode = Some(rcode(answer.metadata.response_code));
    seen.authoritative = answer.metadata.authoritative;
    seen.recursion_available = answer.metadata.recursion_available;
    // Follow the chain from the question: records beside it are somebody else's.
    let mut owner = name.clone();
    while seen.chain.len() < CHAIN {
        let next = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == owner => Some(target.0.clone()),
            _ => None,
        });
        let Some(target) = next else { break };
        let shown = target.to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let looped = seen.chain.contains(&shown);
        seen.chain.push(shown);
        if looped {
            break;
        }
        owner = target;
    }
    let addresses = answer.answers.iter().filter(|record| record.name == owner).filter_map(|record| {
        let address: IpAddr = match &record.data {
            RData::A(address) if record_type == RecordType::A => address.0.into(),
            RData::AAAA(address) if record_type == RecordType::AAAA => address.0.into(),
            _ => return None,
        };
        Some((address, record.ttl))
    });
    for (address, ttl) in addresses.take(ADDRESSES) {
        seen.addresses.push(address);
        seen.ttl_s = Some(seen.ttl_s.map_or(ttl, |least| least.min(ttl)));
    }
    for record in &answer.authorities {
        if let RData::SOA(soa) = &record.data {
            seen.soa_zone = Some(record.name.to_ascii());
            seen.soa_server = Some(soa.mname.to_ascii());
        }
    }
}

fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}
