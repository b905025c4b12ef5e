//! What this machine makes of a name before and beside asking its nameservers: name services, search lists, a local stub.

use super::address::place;
use super::answer::{Answer, answered, answers, configured, told};
use super::{Row, Seen};
use crate::evidence::{Detail, Machine};

/// Services that know this machine's own names only.
const LOCAL: [&str; 6] = ["files", "db", "compat", "myhostname", "mymachines", "altfiles"];

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
        Detail::SystemLookup(lookup) => lookup.canonical_name.as_deref(),
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
        row.quote("upstream", super::nameservers::shown(first.nameserver));
        row.quote("upstream_answer", told(first.word, &first.addresses));
    }
}
