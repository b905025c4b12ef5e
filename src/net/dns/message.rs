//! A DNS message: the question as we put it, and what an answer says.

use std::net::IpAddr;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, RecordType};

use crate::evidence::{DnsQuery, ExtendedError};
use crate::failure::Outcome;
use crate::net::Failed;

const CHAIN: usize = 16;
const ADDRESSES: usize = 64;
const EXTENDED_ERRORS: usize = 4;
/// EDNS option codes are numbers to hickory until it knows them: this one is RFC 8914's.
const EXTENDED_ERROR: EdnsCode = EdnsCode::Unknown(15);

/// How a question is put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Ordinary,
    WithoutEdns,
    CheckingDisabled,
}

pub(super) struct Question {
    message: Message,
    asked: Query,
    pub(super) bytes: Vec<u8>,
}

impl Question {
    /// Always the whole name, with its final dot: search lists are the system resolver's business.
    pub(super) fn new(name: &str, record_type: RecordType, form: Form) -> Result<Question, Failed> {
        let other = |error: &dyn std::fmt::Display| (Outcome::Other, Some(error.to_string()));
        let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|error| other(&error))?;
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.metadata.checking_disabled = form == Form::CheckingDisabled;
        let mut asked = Query::query(name, record_type);
        asked.set_query_class(DNSClass::IN);
        message.add_query(asked.clone());
        if form != Form::WithoutEdns {
            let mut edns = Edns::new();
            edns.set_max_payload(1232);
            message.edns = Some(edns);
        }
        let bytes = message.to_vec().map_err(|error| other(&error))?;
        Ok(Question { message, asked, bytes })
    }

    /// Whether this is the answer to it. An error may come without its question; records that come without it are anybody's.
    pub(super) fn is_answered_by(&self, answer: &Message) -> bool {
        let without = answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError;
        answer.metadata.id == self.message.metadata.id
            && answer.metadata.message_type == MessageType::Response
            && (without || answer.queries.first() == Some(&self.asked))
    }

    /// Keeps what an answer says.
    pub(super) fn fill(&self, seen: &mut DnsQuery, answer: &Message) {
        seen.rcode = Some(rcode(answer.metadata.response_code));
        seen.authoritative = answer.metadata.authoritative;
        seen.recursion_available = answer.metadata.recursion_available;
        // Follow the chain from the question: records beside it are somebody else's.
        let mut owner = self.asked.name().clone();
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
                RData::A(address) if self.asked.query_type() == RecordType::A => address.0.into(),
                RData::AAAA(address) if self.asked.query_type() == RecordType::AAAA => address.0.into(),
                _ => return None,
            };
            Some((address, record.ttl))
        });
        for (address, ttl) in addresses.take(ADDRESSES) {
            seen.addresses.push(address);
            seen.ttl_s = Some(seen.ttl_s.map_or(ttl, |least| least.min(ttl)));
        }
        authority(seen, answer);
        seen.extended_errors = extended_errors(answer);
    }
}

/// Whose zone a negative answer comes from, or that there is none and others should be asked.
fn authority(seen: &mut DnsQuery, answer: &Message) {
    for (records, additional) in [(&answer.authorities, false), (&answer.additionals, true)] {
        for record in records {
            if let RData::SOA(soa) = &record.data
                && seen.soa_zone.is_none()
            {
                seen.soa_zone = Some(record.name.to_ascii());
                seen.soa_server = Some(soa.mname.to_ascii());
                seen.soa_ttl_s = Some(record.ttl.min(soa.minimum));
                seen.soa_additional = additional;
            }
        }
    }
    let empty = answer.metadata.response_code == ResponseCode::NoError && answer.answers.is_empty();
    let elsewhere = answer.authorities.iter().any(|record| matches!(record.data, RData::NS(_)));
    seen.referral = empty && elsewhere && seen.soa_zone.is_none() && !seen.recursion_available && !seen.authoritative;
}

fn extended_errors(answer: &Message) -> Vec<ExtendedError> {
    let options = answer.edns.iter().flat_map(|edns| edns.options().as_ref());
    let found = options.filter_map(|(code, option)| match option {
        EdnsOption::Unknown(_, data) if *code == EXTENDED_ERROR => {
            let (code, text) = data.split_first_chunk::<2>()?;
            Some(ExtendedError { code: u16::from_be_bytes(*code), extra_text: crate::net::quote(text) })
        }
        _ => None,
    });
    found.take(EXTENDED_ERRORS).collect()
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
