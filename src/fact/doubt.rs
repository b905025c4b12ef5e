//! A doubtful answer: whose it is, what the server says of it itself, and what comparisons beside it show.

use std::net::{IpAddr, SocketAddr};

use super::Row;
use super::address::AZURE_PRIVATE;
use super::answer::{Answer, answered, same, told, word_of};
use super::{Seen, plain, span};
use crate::evidence::{Detail, DnsChanged, DnsComparison, DnsQuery, Observation};
use crate::failure::Outcome;
use crate::verb::{GRAPH, LOGIN};

pub(super) fn read(seen: &Seen<'_>, row: &mut Row, answer: &Answer<'_>) {
    let Some(query) = answer.query else { return };
    if let Some(edns) = ["dropped", "rejected"].into_iter().find(|word| query.edns.as_deref() == Some(word)) {
        row.say("dns.edns", edns);
    }
    if query.rcode.is_some() {
        row.say("nameserver.recursion", if query.recursion_available { "available" } else { "unavailable" });
    }
    if query.unsent {
        row.say("nameserver.route", "none");
    }
    if answer.word == "unreachable"
        && let Some(icmp) = &query.icmp
    {
        row.say("dns.icmp", super::icmp::sender(icmp, query.nameserver.ip()));
        row.quote("icmp", super::icmp::told(icmp, &icmp.from.to_string()));
    }
    if is_odd(&row.subject, answer.word) {
        if answered(answer.word) {
            let beside = Beside::all(seen, &row.subject, query, DnsChanged::SameZone);
            row.say("dns.authority", authority(seen, query, &beside));
            let foreign = beside.iter().find(|beside| !beside.query.authoritative);
            row.quote("neighbour", foreign.map(|beside| beside.query.name.clone()).unwrap_or_default());
            row.quote("zone", query.soa_zone.as_deref().map(bare).unwrap_or_default());
            row.quote("zone_server", query.soa_server.as_deref().map(bare).unwrap_or_default());
            let kept = query.soa_ttl_s.or(query.ttl_s).filter(|seconds| *seconds > 0);
            row.quote("kept", kept.map(|seconds| span(seconds.into())).unwrap_or_default());
        }
        extended_error(seen, row, query);
    }
    compared(seen, row, answer, query);
    super::course::read(seen, row, answer);
}

/// An answer that this subject should not have. A private address is what a server's name is for.
pub(super) fn is_odd(subject: &str, word: &str) -> bool {
    let public = matches!(word, "in-tag" | "public" | "agent");
    if subject == LOGIN || subject == GRAPH { !public } else { !(public || matches!(word, "private" | "cgnat")) }
}

fn bare(name: &str) -> &str {
    if name == "." { name } else { name.trim_end_matches('.') }
}

/// Whose zone the answer comes from. RFC 2308: the SOA of a negative answer is that of the zone which holds the name, and a zone's own
/// server always has it. So whoever denies with AA and without a SOA, or has one name and not its neighbour, holds no zone.
fn authority(seen: &Seen<'_>, query: &DnsQuery, beside: &[Beside<'_>]) -> &'static str {
    let Some(zone) = query.soa_zone.as_deref().map(|zone| bare(zone).to_ascii_lowercase()) else {
        let alone = query.addresses.is_empty() || beside.iter().any(|beside| !beside.query.authoritative);
        return match query.authoritative {
            true if alone => "override",
            true => "local-zone",
            false => "unnamed",
        };
    };
    let inside = |name: &str| {
        let name = name.to_ascii_lowercase();
        zone == "." || name == zone || name.strip_suffix(&zone).is_some_and(|head| head.ends_with('.'))
    };
    let names = std::iter::once(&query.name).chain(&query.chain);
    if query.soa_additional || !names.into_iter().any(|name| inside(name)) {
        "policy"
    } else if query.soa_server.as_deref().is_some_and(|server| bare(server).eq_ignore_ascii_case(AZURE_PRIVATE)) {
        "azure-private"
    } else if zone == "." && in_known_domain(seen, &query.name) {
        "root"
    } else if query.authoritative {
        "local-zone"
    } else {
        "enclosing"
    }
}

/// Whether the name lies in a top-level domain that the true root surely delegates: one of this cloud's own names. Any other it may deny.
fn in_known_domain(seen: &Seen<'_>, name: &str) -> bool {
    let top = |name: &str| bare(name).rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let known = [&seen.cloud.login_host, &seen.cloud.graph_host].into_iter().chain(&seen.cloud.server_suffixes);
    known.map(|known| top(known)).any(|known| known == top(name))
}

fn extended_error(seen: &Seen<'_>, row: &mut Row, query: &DnsQuery) {
    let translated = query.extended_errors.iter().find_map(|error| {
        let found = seen.lore.words.translate("extended-errors", &[&error.code.to_string()], &error.extra_text)?;
        Some((error, found))
    });
    let Some((error, (word, mark))) = translated else { return };
    row.say_marked("dns.extended-error", word, mark);
    let text = plain(&error.extra_text);
    row.quote(
        "extended_error",
        match (purpose(error.code), text.as_str()) {
            ("", "") => error.code.to_string(),
            ("", text) => format!("{} ({text})", error.code),
            (purpose, "") => format!("{} ({purpose})", error.code),
            (purpose, text) => format!("{} ({purpose}: {text})", error.code),
        },
    );
}

/// What an INFO-CODE is called (IANA, Extended DNS Error Codes).
fn purpose(code: u16) -> &'static str {
    const PURPOSES: [&str; 31] = [
        "Other Error",
        "Unsupported DNSKEY Algorithm",
        "Unsupported DS Digest Type",
        "Stale Answer",
        "Forged Answer",
        "DNSSEC Indeterminate",
        "DNSSEC Bogus",
        "Signature Expired",
        "Signature Not Yet Valid",
        "DNSKEY Missing",
        "RRSIGs Missing",
        "No Zone Key Bit Set",
        "NSEC Missing",
        "Cached Error",
        "Not Ready",
        "Blocked",
        "Censored",
        "Filtered",
        "Prohibited",
        "Stale NXDOMAIN Answer",
        "Not Authoritative",
        "Not Supported",
        "No Reachable Authority",
        "Network Error",
        "Invalid Data",
        "Signature Expired before Valid",
        "Too Early",
        "Unsupported NSEC3 Iterations Value",
        "Unable to conform to policy",
        "Synthesized",
        "Invalid Query Type",
    ];
    PURPOSES.get(usize::from(code)).copied().unwrap_or_default()
}

/// A comparison that was answered.
struct Beside<'a> {
    word: &'static str,
    query: &'a DnsQuery,
}

impl<'a> Beside<'a> {
    fn all(seen: &'a Seen<'_>, subject: &str, first: &DnsQuery, changed: DnsChanged) -> Vec<Beside<'a>> {
        let fits = |observation: &Observation, comparison: &DnsComparison| {
            comparison.changed == changed
                && comparison.query.nameserver == first.nameserver
                && comparison.query.rcode.is_some()
                // A name of another zone is asked once at each nameserver, for whichever subject came first.
                && (changed == DnsChanged::OtherZone || observation.subject == subject)
        };
        let found = seen.evidence.iter().filter_map(|observation| match &observation.detail {
            Detail::DnsComparison(comparison) if fits(observation, comparison) => {
                let query = &comparison.query;
                Some(Beside { word: word_of(seen, observation, query), query })
            }
            _ => None,
        });
        found.collect()
    }

    fn contradicts(&self, answer: &Answer<'_>) -> bool {
        let shared = self.query.addresses.iter().any(|address| answer.addresses.contains(address));
        !same(self.word, answer.word) || (self.word == "private" && !shared)
    }

    fn told(&self) -> String {
        told(self.word, &self.query.addresses)
    }
}

fn compared(seen: &Seen<'_>, row: &mut Row, answer: &Answer<'_>, first: &DnsQuery) {
    let subject = row.subject.clone();
    let of = |changed: DnsChanged| Beside::all(seen, &subject, first, changed);
    let again = of(DnsChanged::Again);
    let other = |beside: &Vec<Beside<'_>>| {
        beside.iter().find(|beside| beside.contradicts(answer) && answered(beside.word)).map(Beside::told)
    };
    let repeated = if let Some(second) = of(DnsChanged::SecondReply).iter().find(|beside| beside.contradicts(answer)) {
        Some(("two-replies", second.told()))
    } else if let Some(told) = other(&again) {
        // A failure that is over says nothing lasting of the answer, but something of who gives it.
        if !answered(answer.word) {
            row.say("nameserver.course", "recovers");
            row.quote("said", super::answer::told(answer.word, &[]));
            row.quote("other_answer", &told);
        }
        answered(answer.word).then_some(("flaps", told))
    } else if let Some(told) = other(&of(DnsChanged::OverTcp)) {
        Some(("tcp-differs", told))
    } else {
        (!again.is_empty()).then(|| ("same", String::new()))
    };
    if let Some((word, told)) = &repeated {
        row.say("dns.repeated", word);
        row.quote("said", super::answer::told(answer.word, &answer.addresses));
        row.quote("other_answer", told);
    }
    let lasting = repeated.is_some_and(|(word, _)| word == "same");
    if let Some(beside) = of(DnsChanged::CheckingDisabled).first().filter(|_| lasting) {
        row.say("dns.dnssec", if answered(beside.word) { "bogus" } else { "unproven" });
    }
    let (beside, elsewhere) = (of(DnsChanged::SameZone), of(DnsChanged::OtherZone));
    let shared = |names: &[Beside<'_>]| {
        let alike = |query: &DnsQuery| query.addresses.iter().any(|address| answer.addresses.contains(address));
        names.iter().find(|beside| alike(beside.query)).map(|beside| beside.query.name.clone())
    };
    let (word, odd) = match (shared(&elsewhere), shared(&beside)) {
        (Some(name), _) => ("everything", name),
        (None, Some(name)) if !elsewhere.is_empty() => ("zone", name),
        (None, None) if !elsewhere.is_empty() && !beside.is_empty() => ("none", String::new()),
        _ => return,
    };
    row.say("dns.wildcard", word);
    row.quote("random_name", odd);
}

/// Whether these are addresses that this nameserver gives to names that nobody has.
pub(super) fn made_up(seen: &Seen<'_>, nameserver: SocketAddr, addresses: &[IpAddr]) -> bool {
    let given = |address: &IpAddr| {
        seen.evidence.iter().any(|observation| match &observation.detail {
            Detail::DnsComparison(comparison) => {
                comparison.changed == DnsChanged::OtherZone
                    && comparison.query.nameserver == nameserver
                    && comparison.query.addresses.contains(address)
            }
            _ => false,
        })
    };
    !addresses.is_empty() && addresses.iter().all(given)
}

/// Whether an address at which there is no nameserver answers like one.
pub(super) fn interception(seen: &Seen<'_>) -> Option<&'static str> {
    seen.evidence.iter().find_map(|observation| match &observation.detail {
        Detail::DnsComparison(comparison) if comparison.changed == DnsChanged::Unroutable => {
            match observation.outcome {
                Outcome::Ok | Outcome::Rejected => Some("intercepted"),
                Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => None,
                _ => Some("none"),
            }
        }
        _ => None,
    })
}
