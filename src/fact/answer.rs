//! What one nameserver answers to one name, and when two answers are the same.

use std::net::{IpAddr, SocketAddr};

use super::address::{class, is_address};
use super::{Seen, listed};
use crate::evidence::{Detail, DnsQuery, Observation};
use crate::failure::Outcome;

/// One nameserver's answer to one name, A and AAAA together.
pub(super) struct Answer<'a> {
    pub(super) nameserver: SocketAddr,
    pub(super) word: &'static str,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) query: Option<&'a DnsQuery>,
    pub(super) tcp: Option<&'static str>,
    /// TCP 53 beside an unanswered UDP question.
    pub(super) beside: Option<&'static str>,
    pub(super) evidence: Vec<usize>,
}

pub(super) fn answers<'a>(seen: &'a Seen<'_>, subject: &'a str) -> Vec<Answer<'a>> {
    let mut answers: Vec<Answer<'a>> = Vec::new();
    let queries: Vec<(usize, &Observation, &DnsQuery)> = seen
        .of(subject)
        .filter_map(|(index, observation)| match &observation.detail {
            Detail::DnsQuery(query) => Some((index, observation, query)),
            _ => None,
        })
        .collect();
    let mut servers: Vec<SocketAddr> = seen.settings.nameservers.clone();
    for (_, _, query) in &queries {
        if !servers.contains(&query.nameserver) {
            servers.push(query.nameserver);
        }
    }
    for nameserver in servers {
        let of_server: Vec<_> = queries.iter().filter(|(_, _, query)| query.nameserver == nameserver).collect();
        let Some((_, first, a)) = of_server.iter().find(|(_, _, query)| query.record_type == "A").or(of_server.first())
        else {
            continue;
        };
        let addresses: Vec<IpAddr> =
            of_server.iter().flat_map(|(_, _, query)| query.addresses.iter().copied()).collect();
        let word = if addresses.is_empty() { failure(first, a) } else { class(&addresses, seen.cloud) };
        let tcp = a.truncated.then_some(match first.outcome {
            Outcome::Ok | Outcome::Rejected => "answers",
            Outcome::Timeout => "silent",
            _ => "refused",
        });
        let beside =
            ["answers", "connects", "silent", "refused"].into_iter().find(|word| a.tcp.as_deref() == Some(word));
        let evidence = of_server.iter().map(|(index, _, _)| *index).collect();
        answers.push(Answer { nameserver, word, addresses, query: Some(a), tcp, beside, evidence });
    }
    answers
}

/// Words that say: this server answered the question.
pub(super) fn answered(word: &str) -> bool {
    is_address(word) || matches!(word, "nxdomain" | "nodata")
}

/// The same answer: a prefix list that is a little old must not make two answers out of one.
pub(super) fn same(one: &str, other: &str) -> bool {
    let plain = |word: &str| if word == "in-tag" { "public".to_owned() } else { word.to_owned() };
    plain(one) == plain(other)
}

/// Whether two answers contradict each other. Public names have many addresses and rotate them; a private record has one.
pub(super) fn differ(one: &Answer<'_>, other: &Answer<'_>) -> bool {
    let disjoint = || !one.addresses.iter().any(|address| other.addresses.contains(address));
    !same(one.word, other.word) || (one.word == "private" && disjoint())
}

/// What one query says.
pub(super) fn word_of(seen: &Seen<'_>, observation: &Observation, query: &DnsQuery) -> &'static str {
    if query.addresses.is_empty() { failure(observation, query) } else { class(&query.addresses, seen.cloud) }
}

fn failure(observation: &Observation, query: &DnsQuery) -> &'static str {
    match observation.outcome {
        // Who names other servers instead of asking them declines to resolve.
        Outcome::Ok if query.referral => "refused",
        Outcome::Ok => "nodata",
        Outcome::Rejected => match query.rcode.as_deref() {
            Some("NXDOMAIN") => "nxdomain",
            Some("REFUSED") => "refused",
            _ => "servfail",
        },
        Outcome::Timeout => "silent",
        Outcome::Denied => "denied",
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
        Outcome::Garbage => "malformed",
        _ => "unreachable",
    }
}

/// Which of the configured nameservers' answers applications get: the first, unless getaddrinfo has addresses, or a denial where resolv.conf
/// lets it rotate, that only a later one gives.
pub(super) fn deciding(seen: &Seen<'_>, answers: &[&Answer<'_>], system: Option<&str>) -> Option<usize> {
    let given = system.filter(|word| is_address(word) || rotates(seen));
    let of_system =
        given.and_then(|system| answers.iter().position(|answer| answered(answer.word) && same(answer.word, system)));
    of_system.or_else(|| answers.iter().position(|answer| answered(answer.word)))
}

/// Whether resolv.conf says that getaddrinfo begins with another nameserver each time (resolv.conf(5)).
pub(super) fn rotates(seen: &Seen<'_>) -> bool {
    let says = |line: &String| {
        let mut words = line.split_whitespace();
        words.next() == Some("options") && words.any(|word| word == "rotate")
    };
    seen.machine().is_some_and(|machine| machine.resolver_lines.iter().any(says))
}

/// Whether getaddrinfo may still wait for this nameserver, which is silent, before it comes to the one that decides.
pub(super) fn awaited(seen: &Seen<'_>, answers: &[&Answer<'_>], index: usize, decides: usize) -> bool {
    answers[index].word == "silent" && (index < decides || rotates(seen))
}

pub(super) fn configured(seen: &Seen<'_>, answer: &Answer<'_>) -> bool {
    seen.settings.nameservers.contains(&answer.nameserver)
}

/// A word of the answer vocabulary, for people.
pub(super) fn told(word: &str, addresses: &[IpAddr]) -> String {
    let what = match word {
        "in-tag" => "public addresses inside AzureActiveDirectory",
        "public" => "public addresses",
        "private" => "private addresses",
        "loopback" => "loopback addresses",
        "unspecified" => "the unspecified address",
        "link-local" => "link-local addresses",
        "cgnat" => "addresses of 100.64.0.0/10",
        "agent" => "addresses of 6.6.0.0/16 (Global Secure Access)",
        "mixed-classes" => "public and private addresses",
        "nxdomain" => return "NXDOMAIN: the name does not exist".to_owned(),
        "nodata" => return "no address records".to_owned(),
        "servfail" => return "SERVFAIL".to_owned(),
        "refused" => return "it declines to resolve (REFUSED, or a referral to others)".to_owned(),
        "silent" => return "no answer".to_owned(),
        "unreachable" => return "nothing listens there (refused or unreachable)".to_owned(),
        "denied" => return "this machine's kernel refused to send".to_owned(),
        "malformed" => return "an answer that is not DNS".to_owned(),
        "try-again" => return "temporary failure (EAI_AGAIN)".to_owned(),
        "no-nameserver" => return "no nameserver is configured".to_owned(),
        "late" => return "getaddrinfo is still silent although a nameserver answered".to_owned(),
        "waits" => return "getaddrinfo still waits for a nameserver before the one that answers".to_owned(),
        "made-up" => "addresses that are not this name's own",
        other => return other.to_owned(),
    };
    if addresses.is_empty() { what.to_owned() } else { format!("{what}: {}", listed(addresses)) }
}
