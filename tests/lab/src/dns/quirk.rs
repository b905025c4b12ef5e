//! Ways of answering that are another way with something added: flags, a SOA, an Extended DNS Error, a turn.

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, NS};
use hickory_proto::rr::{RData, Record, RecordType};

use super::{ascii, negative};
use crate::plan::Plan;
use crate::scenario::Answers;

/// Which plain way of answering this question gets.
pub(super) fn as_if(wanted: Answers, question: &Message, over_tcp: bool, turn: usize) -> Answers {
    let odd = turn % 2 == 1;
    let with_edns = question.edns.is_some();
    match wanted {
        Answers::EdnsDropped if question.edns.is_some() && !over_tcp => Answers::Silent,
        Answers::Bogus | Answers::Unsigned | Answers::Expired if !question.metadata.checking_disabled => {
            Answers::Servfail
        }
        Answers::EdeUnreachable => Answers::Servfail,
        Answers::EdeBlocked
        | Answers::Policy
        | Answers::PolicyQuiet
        | Answers::Override
        | Answers::LocalZone
        | Answers::AzureZone
        | Answers::OwnRoot => Answers::Nxdomain,
        Answers::PolicyNodata => Answers::Nodata,
        Answers::EdeFiltered => Answers::Unspecified,
        Answers::LocalPrivate | Answers::WildcardZone | Answers::PolicyPrivate => Answers::Private,
        Answers::NoRecursion => Answers::Refused,
        Answers::Flaps if odd => Answers::Nxdomain,
        Answers::EverySecond if odd => Answers::Silent,
        Answers::Recovers if turn == 1 => Answers::Servfail,
        Answers::RefusesOnce if turn == 1 => Answers::Refused,
        Answers::RefusesTwice if turn <= 2 => Answers::Refused,
        Answers::FailsTwice if turn <= 2 => Answers::Servfail,
        Answers::SilentTwice if turn <= 2 => Answers::Silent,
        Answers::AaaaOnly if question.queries.first().is_some_and(|query| query.query_type() == RecordType::A) => {
            Answers::Nodata
        }
        Answers::Once if turn > 1 => Answers::Silent,
        Answers::OnceThenRefuses if turn > 1 => Answers::Refused,
        Answers::PlainOnce if with_edns || turn > 1 => Answers::Silent,
        Answers::PlainOnceThenRefuses if with_edns || turn > 1 => Answers::Refused,
        Answers::PlainOnceThenDenies if with_edns || turn > 1 => Answers::Nxdomain,
        Answers::PlainSilentOnce if !with_edns && turn == 1 => Answers::Silent,
        Answers::PlainFailsTwice if !with_edns && turn <= 2 => Answers::Servfail,
        Answers::PlainDeniesOnce if !with_edns && turn == 1 => Answers::Nxdomain,
        Answers::UdpForged if !over_tcp => Answers::Private,
        Answers::EdnsDropped
        | Answers::EdnsFormerr
        | Answers::Bogus
        | Answers::Unsigned
        | Answers::Expired
        | Answers::Signed
        | Answers::Flaps
        | Answers::EverySecond
        | Answers::Recovers
        | Answers::AaaaOnly
        | Answers::SilentTwice
        | Answers::RefusesOnce
        | Answers::RefusesTwice
        | Answers::FailsTwice
        | Answers::Once
        | Answers::OnceThenRefuses
        | Answers::PlainOnce
        | Answers::PlainOnceThenRefuses
        | Answers::PlainOnceThenDenies
        | Answers::PlainSilentOnce
        | Answers::PlainFailsTwice
        | Answers::PlainDeniesOnce
        | Answers::UdpForged
        | Answers::Injected => Answers::Honest,
        other => other,
    }
}

/// Adds to the plain reply what makes it the wanted one.
pub(super) fn dress(
    reply: &mut Message,
    wanted: Answers,
    plain: Answers,
    plans: &[Plan],
    plan: Option<&Plan>,
    query: &Query,
) {
    let shadow = plans[0].shadow.clone();
    let zone = plan.and_then(|plan| plan.name.split_once('.')).map_or(String::new(), |(_, zone)| zone.to_owned());
    let is_host = plan.is_some_and(|plan| ascii(&plan.name) == *query.name());
    match wanted {
        Answers::EdnsFormerr if reply.edns.is_some() => {
            clear(reply);
            reply.metadata.response_code = ResponseCode::FormErr;
            reply.edns = None;
        }
        Answers::Bogus if plain == Answers::Servfail => extended(reply, 6, "signature of the answer"),
        Answers::Unsigned if plain == Answers::Servfail => extended(reply, 9, ""),
        Answers::Expired if plain == Answers::Servfail => extended(reply, 7, ""),
        Answers::EdeBlocked if is_host => extended(reply, 15, ""),
        Answers::EdeFiltered if is_host => {
            extended(reply, 17, &format!("category not allowed, ask the helpdesk at {shadow}"));
        }
        Answers::EdeUnreachable => extended(reply, 22, "at delegation"),
        Answers::FailsTwice if plain == Answers::Servfail => extended(reply, 22, "at delegation"),
        Answers::Policy | Answers::PolicyNodata | Answers::PolicyPrivate | Answers::PolicyQuiet if is_host => {
            // As the draft on response policy zones has it, section 6.
            let code = reply.metadata.response_code;
            reply.authorities.clear();
            negative(reply, code, (&format!("rpz.{shadow}"), &shadow));
            reply.additionals = std::mem::take(&mut reply.authorities);
            reply.metadata.recursion_available = wanted != Answers::PolicyQuiet;
        }
        Answers::Override if is_host => {
            clear(reply);
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.metadata.authoritative = true;
        }
        Answers::LocalZone => {
            clear(reply);
            negative(reply, ResponseCode::NXDomain, (&zone, &shadow));
            reply.metadata.authoritative = true;
        }
        Answers::LocalPrivate => reply.metadata.authoritative = true,
        Answers::AzureZone => {
            clear(reply);
            negative(reply, ResponseCode::NXDomain, (&zone, "azureprivatedns.net"));
        }
        Answers::OwnRoot => {
            clear(reply);
            negative(reply, ResponseCode::NXDomain, (".", &shadow));
            reply.metadata.authoritative = true;
        }
        Answers::NoRecursion => reply.metadata.recursion_available = false,
        Answers::Referral => {
            clear(reply);
            reply.metadata.recursion_available = false;
            reply.add_authority(Record::from_rdata(ascii("."), 60, RData::NS(NS(ascii("a.root-servers.net")))));
        }
        Answers::WildcardZone if plan.is_some() => address(reply, query, plan),
        Answers::Everything => address(reply, query, plans.first()),
        _ => {}
    }
}

/// The one address that a wildcard gives.
fn address(reply: &mut Message, query: &Query, plan: Option<&Plan>) {
    clear(reply);
    let Some(plan) = plan.filter(|_| query.query_type() == RecordType::A) else { return };
    reply.add_answer(Record::from_rdata(query.name().clone(), 60, RData::A(A(plan.privates[0]))));
}

fn clear(reply: &mut Message) {
    reply.metadata.response_code = ResponseCode::NoError;
    reply.answers.clear();
    reply.authorities.clear();
}

/// An Extended DNS Error (RFC 8914): only whoever speaks EDNS hears it.
fn extended(reply: &mut Message, code: u16, text: &str) {
    if let Some(edns) = &mut reply.edns {
        let data = [&code.to_be_bytes(), text.as_bytes()].concat();
        edns.options_mut().insert(EdnsOption::Unknown(15, data));
    }
}
