//! What this machine makes of a name before and beside asking its nameservers: name services, search lists, a local stub.

use std::net::IpAddr;

use super::address::{class, place, shown};
use super::answer::{Answer, answered, answers, configured, told};
use super::{Row, Seen};
use crate::evidence::{Detail, Machine};
use crate::failure::Outcome;

/// Services that know this machine's own names only.
const LOCAL: [&str; 6] = ["files", "db", "compat", "myhostname", "mymachines", "altfiles"];

/// What getaddrinfo says of a name.
pub(super) struct Lookup {
    /// Its place in the evidence.
    pub(super) index: usize,
    pub(super) word: &'static str,
    pub(super) addresses: Vec<IpAddr>,
}

impl Lookup {
    /// The first lookup, or the second one beside a contradiction.
    pub(super) fn of(seen: &Seen<'_>, subject: &str, again: bool) -> Option<Lookup> {
        let (index, observation, lookup) =
            seen.of(subject).find_map(|(index, observation)| match &observation.detail {
                Detail::SystemLookup(lookup) if lookup.again == again => Some((index, observation, lookup)),
                _ => None,
            })?;
        let word = match (observation.outcome, lookup.eai.as_deref()) {
            (Outcome::Ok, _) => class(&lookup.addresses, seen.cloud),
            (Outcome::Timeout, _) => "silent",
            (Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted, _) => "undetermined",
            (_, Some("EAI_NONAME")) => "nxdomain",
            (_, Some("EAI_NODATA")) => "nodata",
            (_, Some("EAI_FAIL")) => "servfail",
            _ => "try-again",
        };
        Some(Lookup { index, word, addresses: lookup.addresses.clone() })
    }
}

pub(super) fn read(seen: &Seen<'_>, row: &mut Row, host: &str, listed: &[&Answer<'_>]) {
    if seen.settings.own_nameservers {
        return;
    }
    if let Some(machine) = seen.machine().filter(|machine| !machine.name_services.is_empty()) {
        row.say("dns.services", if asks_dns(machine) { "dns" } else { "local-only" });
        row.quote("name_services", machine.name_services.join(" "));
    }
    let subject = row.subject.clone();
    let canonical = seen.of(&subject).find_map(|(_, observation)| match &observation.detail {
        Detail::SystemLookup(lookup) if !lookup.again => lookup.canonical_name.as_deref(),
        _ => None,
    });
    if let Some(canonical) = canonical.map(|name| name.trim_end_matches('.').to_ascii_lowercase()) {
        let longer = canonical.strip_prefix(&host.trim_end_matches('.').to_ascii_lowercase());
        let captured = longer.is_some_and(|more| more.starts_with('.'));
        row.say("dns.search", if captured { "captured" } else { "whole" });
        row.quote("canonical", if captured { canonical } else { String::new() });
    }
    upstream(seen, row, listed);
}

/// Words in brackets say what to do with a result, and mdns knows .local only.
fn asks_dns(machine: &Machine) -> bool {
    let services = machine.name_services.iter().filter(|word| !word.starts_with('[') && !word.starts_with('!'));
    services.into_iter().any(|word| !LOCAL.contains(&word.as_str()) && !word.starts_with("mdns") && !word.contains('='))
}

/// What the servers behind a stub on this machine say, when they were asked too.
fn upstream(seen: &Seen<'_>, row: &mut Row, listed: &[&Answer<'_>]) {
    if !listed.iter().any(|answer| place(answer.nameserver.ip()) == "loopback") {
        return;
    }
    let subject = row.subject.clone();
    let all = answers(seen, &subject);
    let upstreams = all.iter().filter(|answer| {
        !configured(seen, answer)
            && seen.machine().is_some_and(|machine| machine.stub_upstreams.contains(&answer.nameserver))
    });
    let heard: Vec<&Answer<'_>> = upstreams.collect();
    if let Some(first) = heard.iter().find(|answer| answered(answer.word)).or(heard.first()) {
        row.say("dns.upstream", first.word);
        row.quote("upstream", shown(first.nameserver));
        row.quote("upstream_answer", told(first.word, &first.addresses));
    }
}
