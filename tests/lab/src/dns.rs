//! Nameservers, over UDP and TCP, each with its way of answering.

mod quirk;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::plan::{Plan, Role};
use crate::scenario::{Answers, Ipv6, Nameserver};
use crate::tap::Ledger;

const SLOW: Duration = Duration::from_millis(300);

pub struct Server {
    pub behaviour: Nameserver,
    pub plans: Arc<Vec<Plan>>,
    /// The proxy by its name.
    pub proxy: Option<(String, IpAddr)>,
    pub ledger: Ledger,
    pub peer: String,
    /// How often each question was asked.
    pub turns: Mutex<HashMap<(String, RecordType), usize>>,
}

impl Server {
    pub async fn udp(self: Arc<Self>, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let mut buffer = vec![0; 4096];
        loop {
            // A client that is gone makes recv fail once; that is normal.
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
            self.ledger.open(&self.peer).add(&buffer[..length]);
            let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
            let (server, socket) = (self.clone(), socket.clone());
            tokio::spawn(async move {
                let (datagrams, pause) = server.answer(&question, false);
                tokio::time::sleep(pause).await;
                for datagram in datagrams {
                    let _ = socket.send_to(&datagram, from).await;
                }
            });
        }
    }

    pub async fn tcp(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let server = self.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut bytes = vec![0; usize::from(length)];
                    if stream.read_exact(&mut bytes).await.is_err() {
                        return;
                    }
                    server.ledger.open(&server.peer).add(&bytes);
                    let Ok(question) = Message::from_vec(&bytes) else { return };
                    let (messages, pause) = server.answer(&question, true);
                    tokio::time::sleep(pause).await;
                    for message in messages {
                        let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
                        if stream.write_all(&[&length[..], &message].concat()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    }

    /// The messages that answer a question, and how long they take.
    fn answer(&self, question: &Message, over_tcp: bool) -> (Vec<Vec<u8>>, Duration) {
        let Some(query) = question.queries.first() else { return (Vec::new(), Duration::ZERO) };
        let asked = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let plan = self.plans.iter().find(|plan| {
            plan.name == asked || plan.chain.contains(&asked) || plan.public_alias == asked || plan.privatelink == asked
        });
        let zone = |name: &str| name.split_once('.').map_or(String::new(), |(_, zone)| zone.to_owned());
        let beside = || self.plans.iter().find(|plan| zone(&plan.name) == zone(&asked));
        let wanted = plan.or_else(beside).map_or(self.behaviour.all, |plan| plan.role.answers(&self.behaviour));
        let turn = {
            let mut turns = crate::tap::lock(&self.turns);
            let apart = if wanted.counts_plain() && question.edns.is_none() { " without EDNS" } else { "" };
            let turn = turns.entry((format!("{asked}{apart}"), query.query_type())).or_default();
            *turn += 1;
            *turn
        };
        let answers = quirk::as_if(wanted, question, over_tcp, turn);
        let mut reply = Message::response(question.metadata.id, OpCode::Query);
        reply.metadata.recursion_desired = question.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        reply.add_query(query.clone());
        if question.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(1232);
            reply.edns = Some(edns);
        }
        let mut pause = Duration::ZERO;
        if let Some((_, address)) = self.proxy.as_ref().filter(|(name, _)| *name == asked) {
            if let (IpAddr::V4(address), RecordType::A) = (address, query.query_type()) {
                reply.add_answer(Record::from_rdata(query.name().clone(), 60, RData::A(A(*address))));
            }
            return (encode([reply]), pause);
        }
        match answers {
            Answers::Silent | Answers::Closed | Answers::Hangs => return (Vec::new(), pause),
            Answers::TcpOnly if !over_tcp => return (Vec::new(), pause),
            Answers::AaaaSilent if query.query_type() == RecordType::AAAA => return (Vec::new(), pause),
            Answers::Malformed => {
                // The right id and a question, then an answer whose name points at itself.
                let mut bytes = reply.to_vec().unwrap_or_default();
                bytes.truncate(12 + asked.len() + 6);
                if let Some(counts) = bytes.get_mut(6..12) {
                    counts.copy_from_slice(&[0, 1, 0, 0, 0, 0]);
                }
                let here = u16::try_from(bytes.len()).unwrap_or(12) | 0xc000;
                bytes.extend_from_slice(&here.to_be_bytes());
                bytes.extend_from_slice(&[0, 1, 0, 1]);
                return (vec![bytes], pause);
            }
            Answers::Truncated | Answers::TruncatedSilent | Answers::TruncatedClosed if !over_tcp => {
                reply.metadata.truncation = true;
                return (encode([reply]), pause);
            }
            Answers::Servfail => reply.metadata.response_code = ResponseCode::ServFail,
            Answers::Refused => reply.metadata.response_code = ResponseCode::Refused,
            Answers::Slow => {
                pause = SLOW;
                fill(&mut reply, plan, &asked, query, answers);
            }
            _ => fill(&mut reply, plan, &asked, query, answers),
        }
        quirk::dress(&mut reply, wanted, answers, &self.plans, plan.or_else(beside), query);
        if wanted == Answers::Injected && !over_tcp {
            let mut lie = Message::response(question.metadata.id, OpCode::Query);
            lie.metadata.recursion_available = true;
            lie.add_query(query.clone());
            if query.query_type() == RecordType::A {
                let address = plan.map_or(Ipv4Addr::new(10, 66, 6, 6), |plan| plan.privates[0]);
                lie.add_answer(Record::from_rdata(query.name().clone(), 60, RData::A(A(address))));
            }
            return (encode([lie, reply]), pause);
        }
        if answers == Answers::Forged && !over_tcp {
            let mut forged = Vec::new();
            for step in 1..4 {
                let mut lie = Message::response(question.metadata.id.wrapping_add(step * 1009), OpCode::Query);
                lie.metadata.recursion_available = true;
                lie.add_query(query.clone());
                lie.add_answer(Record::from_rdata(
                    query.name().clone(),
                    60,
                    RData::A(A(Ipv4Addr::new(192, 168, 66, 6))),
                ));
                forged.push(lie);
            }
            return (encode(forged.into_iter().chain([reply])), pause);
        }
        (encode([reply]), pause)
    }
}

fn encode(messages: impl IntoIterator<Item = Message>) -> Vec<Vec<u8>> {
    messages.into_iter().filter_map(|message| message.to_vec().ok()).collect()
}

/// The content of an answer: the chain of aliases and its addresses, or a negative answer with its SOA.
fn fill(reply: &mut Message, plan: Option<&Plan>, asked: &str, query: &Query, answers: Answers) {
    let Some(plan) = plan else {
        let root = match answers {
            Answers::Nodata => ResponseCode::NoError,
            _ => ResponseCode::NXDomain,
        };
        return negative(reply, root, (".", "a.root-servers.net"));
    };
    let parent = plan.name.split_once('.').map_or("", |(_, parent)| parent);
    let shadow = (parent, plan.shadow.as_str());
    let honest_zone = (plan.zone.0.as_str(), plan.zone.1.as_str());
    let aliases: Vec<String> = match answers {
        Answers::Honest
        | Answers::Truncated
        | Answers::TruncatedSilent
        | Answers::TruncatedClosed
        | Answers::Forged
        | Answers::Slow
        | Answers::Mixed
        | Answers::AaaaSilent
        | Answers::TcpOnly
        | Answers::PublicElsewhere => plan.chain.clone(),
        Answers::Dangling if plan.role == Role::Server => vec![plan.public_alias.clone()],
        Answers::Dangling => plan.chain.iter().take(1).cloned().collect(),
        Answers::DanglingPrivatelink | Answers::PrivatelinkPublic => {
            let end = plan.chain.iter().position(|hop| *hop == plan.privatelink);
            match end {
                Some(end) if answers == Answers::DanglingPrivatelink => plan.chain[..=end].to_vec(),
                Some(_) if plan.role != Role::Server => plan.chain.clone(),
                _ => vec![plan.privatelink.clone()],
            }
        }
        Answers::Loop => {
            let hop = plan.chain.first().cloned().unwrap_or_default();
            alias(reply, &plan.name, &hop);
            alias(reply, &hop, &plan.name);
            return;
        }
        _ => Vec::new(),
    };
    // A question about a hop is answered from there on.
    let mut at = asked.to_owned();
    let rest = aliases.iter().position(|hop| *hop == asked).map_or(&aliases[..], |place| &aliases[place + 1..]);
    for hop in rest {
        alias(reply, &at, hop);
        at.clone_from(hop);
    }
    let address = |address: Ipv4Addr| Some(vec![address]);
    let v4 = match answers {
        Answers::Nxdomain => return negative(reply, ResponseCode::NXDomain, shadow),
        Answers::Nodata => return negative(reply, ResponseCode::NoError, shadow),
        Answers::Dangling | Answers::DanglingPrivatelink => {
            let zone = at.split_once('.').map_or("", |(_, zone)| zone).to_owned();
            let server = if answers == Answers::Dangling { "ns1-01.azure-dns.com" } else { "azureprivatedns.net" };
            return negative(reply, ResponseCode::NXDomain, (&zone, server));
        }
        Answers::Private => address(plan.privates[0]),
        Answers::OtherPrivate => address(plan.privates[1]),
        Answers::TwoPrivates => Some(vec![
            plan.v4.first().copied().filter(Ipv4Addr::is_private).unwrap_or(plan.privates[0]),
            plan.privates[1],
        ]),
        Answers::Mixed => Some(plan.v4.iter().copied().chain([plan.privates[0]]).collect()),
        Answers::Loopback => address(Ipv4Addr::LOCALHOST),
        Answers::Unspecified => address(Ipv4Addr::UNSPECIFIED),
        Answers::Cgnat => address(plan.cgnat),
        Answers::Agent => address(plan.agent),
        Answers::PublicElsewhere => address(plan.elsewhere),
        Answers::PrivatelinkPublic => address(plan.public),
        _ => None,
    };
    let name = ascii(&at);
    let honest = v4.is_none();
    match query.query_type() {
        RecordType::A => {
            for address in v4.unwrap_or_else(|| plan.v4.clone()) {
                reply.add_answer(Record::from_rdata(name.clone(), 60, RData::A(A(address))));
            }
        }
        RecordType::AAAA if honest && plan.ipv6 != Ipv6::Absent => {
            for address in &plan.v6 {
                reply.add_answer(Record::from_rdata(name.clone(), 60, RData::AAAA(AAAA(*address))));
            }
        }
        _ => negative(reply, ResponseCode::NoError, if honest { honest_zone } else { shadow }),
    }
}

fn alias(reply: &mut Message, from: &str, to: &str) {
    reply.add_answer(Record::from_rdata(ascii(from), 299, RData::CNAME(CNAME(ascii(to)))));
}

fn negative(reply: &mut Message, code: ResponseCode, (zone, server): (&str, &str)) {
    reply.metadata.response_code = code;
    let soa = SOA::new(ascii(server), ascii("hostmaster.example"), 20_261_124, 3600, 300, 2_419_200, 30);
    reply.add_authority(Record::from_rdata(ascii(zone), 30, RData::SOA(soa)));
}

fn ascii(name: &str) -> Name {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).unwrap_or_else(|_| Name::root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// The answers of a nameserver that does `answers` for everything, to an A question about the login host.
    async fn ask(answers: Answers, role: Role) -> Option<Message> {
        let mut rng = fastrand::Rng::with_seed(3);
        let scenario = Scenario::healthy();
        let names = crate::names::draw(&mut rng, &scenario);
        let plans = Arc::new(crate::plan::draw(&mut rng, &scenario, &names));
        let name = plans.iter().find(|plan| plan.role == role).map(|plan| plan.name.clone())?;
        let behaviour = Nameserver { all: answers, ..Nameserver::default() };
        let server = Server {
            behaviour,
            plans,
            proxy: None,
            ledger: Ledger::default(),
            peer: "nameserver 1".to_owned(),
            turns: Mutex::default(),
        };
        let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let address = bound.local_addr().expect("bound");
        tokio::spawn(Arc::new(server).udp(bound));
        let mut question = Message::query();
        question.add_query(Query::query(ascii(&name), RecordType::A));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        socket.connect(address).await.expect("connected");
        socket.send(&question.to_vec().expect("bytes")).await.expect("sent");
        let mut buffer = vec![0; 4096];
        loop {
            let length = tokio::time::timeout(Duration::from_millis(600), socket.recv(&mut buffer)).await.ok()?.ok()?;
            match Message::from_vec(&buffer[..length]) {
                Ok(reply) if reply.metadata.id == question.metadata.id => return Some(reply),
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn honest_answers_have_the_real_chain() {
        let reply = ask(Answers::Honest, Role::Login).await.expect("an answer");
        assert_eq!(reply.answers.len(), 3 + 8);
        let reply = ask(Answers::Forged, Role::Graph).await.expect("the truth after forgeries");
        assert_eq!(reply.answers.len(), 2 + 8);
        let reply = ask(Answers::Honest, Role::Server).await.expect("an answer");
        assert_eq!(reply.answers.len(), 2);
    }

    #[tokio::test]
    async fn negative_answers_have_a_soa() {
        for (answers, aliases) in [(Answers::Nxdomain, 0), (Answers::Dangling, 1), (Answers::DanglingPrivatelink, 1)] {
            let reply = ask(answers, Role::Server).await.expect("an answer");
            assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "{answers:?}");
            assert_eq!((reply.answers.len(), reply.authorities.len()), (aliases, 1), "{answers:?}");
        }
        let reply = ask(Answers::DanglingPrivatelink, Role::Login).await.expect("an answer");
        assert_eq!(reply.answers.len(), 2);
    }

    #[tokio::test]
    async fn faults_are_faults() {
        assert!(ask(Answers::Silent, Role::Login).await.is_none());
        assert!(ask(Answers::Closed, Role::Login).await.is_none());
        assert!(ask(Answers::Malformed, Role::Login).await.is_none());
        let reply = ask(Answers::TruncatedClosed, Role::Login).await.expect("an answer");
        assert!(reply.metadata.truncation && reply.answers.is_empty());
        let reply = ask(Answers::Loop, Role::Login).await.expect("an answer");
        assert_eq!(reply.answers.len(), 2);
    }
}
