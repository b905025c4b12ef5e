//! TLS with a host: how the handshake ends, who signed, and what comparisons beside it show.

use std::net::SocketAddr;

use super::super::{Row, Seen, listed};
use super::{details, suffix};
use crate::evidence::{Certificate, Changed, Detail, Observation, TlsHandshake, skew};
use crate::failure::Outcome;
use crate::verb::SERVER;
use crate::words::Mark;

fn handshake_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "verified",
        Outcome::Timeout => "silent",
        Outcome::Reset | Outcome::Refused => "reset",
        Outcome::Closed => "closed",
        Outcome::Alert => "alert",
        Outcome::Garbage => "not-tls",
        Outcome::UnknownIssuer => "untrusted",
        Outcome::WrongName => "wrong-name",
        Outcome::Expired => "expired",
        Outcome::NotYetValid => "not-yet-valid",
        Outcome::BadCertificate => "bad-certificate",
        Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
        _ => "failed",
    }
}

/// Whether a certificate is valid by the clock of the peers, where that is known.
fn by_peers_time(seen: &Seen<'_>, leaf: &Certificate) -> &'static str {
    let clocks = seen.evidence.iter().filter_map(|observation| match &observation.detail {
        Detail::HttpExchange(exchange) if exchange.clock > 0 => Some(exchange.clock),
        Detail::Metadata(reply) if reply.clock > 0 => Some(reply.clock),
        _ => None,
    });
    match (clocks.min(), skew(seen.evidence)) {
        (Some(clock), Some(skew)) if (leaf.not_before..=leaf.not_after).contains(&clock.saturating_sub(skew)) => {
            "valid"
        }
        (Some(_), Some(_)) => "invalid",
        _ => "unknown",
    }
}

/// The word of the best handshake: one that succeeded, else one that showed a chain, else the last.
pub(super) fn tls(seen: &Seen<'_>, row: &mut Row, subject: &str) -> Option<&'static str> {
    let handshakes: Vec<(usize, &Observation, &TlsHandshake)> = details(seen, subject, |detail| match detail {
        Detail::TlsHandshake(handshake) => Some(handshake),
        _ => None,
    });
    let best = handshakes
        .iter()
        .find(|(_, observation, _)| observation.outcome.is_ok())
        .or_else(|| handshakes.iter().find(|(_, _, handshake)| !handshake.chain.is_empty()))
        .or(handshakes.last())?;
    let (_, observation, handshake) = best;
    let word = handshake_word(observation.outcome);
    row.say("tls.handshake", word);
    stalled(row, handshake.acknowledged);
    if !observation.outcome.is_ok() {
        row.quote("error", super::super::said(observation));
    }
    if let Some(peer) = handshake.peer {
        row.quote("remote_address", peer.ip().to_string());
    }
    if let Some(leaf) = handshake.chain.first() {
        let (issuer, mark) = issuer(seen, &handshake.chain);
        row.say_marked("tls.issuer", issuer, mark);
        let inspection = match (issuer, word) {
            ("inspector", "verified") => "trusted",
            ("inspector", "untrusted") => "untrusted",
            _ => "none",
        };
        row.say_marked("inspection", inspection, mark);
        row.quote("issuer", common_name(&leaf.issuer));
        row.quote("names", listed(&leaf.names));
        if subject == SERVER && word == "wrong-name" {
            let of_azure = leaf.names.iter().any(|name| seen.cloud.has_server(name));
            row.say("tls.names", if of_azure { "server" } else { "other" });
        }
        if matches!(word, "expired" | "not-yet-valid") {
            row.say("tls.peers-time", by_peers_time(seen, leaf));
        }
        let end = if word == "not-yet-valid" { leaf.not_before } else { leaf.not_after };
        row.quote("expires", super::super::day(end));
    }
    Some(word)
}

/// What changed the outcome of a doubtful connection or handshake.
pub(super) fn comparisons(seen: &Seen<'_>, row: &mut Row, subject: &str) {
    let found = details(seen, subject, |detail| match detail {
        Detail::Comparison(comparison) => Some(comparison),
        _ => None,
    });
    // The fewest hops at which a refusal still came.
    let mut nearest: Option<u32> = None;
    let mut walked = false;
    // Whether handshakes in small segments, and in ordinary ones, were answered; nothing while that is not known.
    let (mut small, mut large) = (None, None);
    for (_, observation, comparison) in found {
        let fact = match comparison.changed {
            Changed::SmallSegments => {
                small = small.max(heard(observation.outcome));
                continue;
            }
            Changed::Nothing => {
                large = large.max(heard(observation.outcome));
                continue;
            }
            Changed::OtherName => "other-name",
            Changed::ThroughProxy => "proxied",
            Changed::BesideProxy => "beside-proxy",
            Changed::OtherFlow => "other-flow",
            Changed::OtherPort => "other-port",
            // It is read with the login.
            Changed::PastPooler => continue,
            Changed::FewHops => {
                let hops = comparison.hops.unwrap_or(u32::MAX);
                if observation.outcome == Outcome::Refused {
                    nearest = Some(nearest.map_or(hops, |known| known.min(hops)));
                }
                walked |= hops == 1 && !unfinished(observation.outcome);
                continue;
            }
        };
        let word = match (observation.outcome, comparison.changed) {
            (outcome, _) if unfinished(outcome) => continue,
            (Outcome::Ok, _) => "answers",
            (Outcome::Timeout, Changed::BesideProxy | Changed::OtherPort) => "silent",
            (Outcome::Refused, Changed::BesideProxy | Changed::OtherPort) => "refused",
            (_, Changed::BesideProxy | Changed::OtherPort) => "fails",
            _ => "same",
        };
        // One comparison that answers is enough; none that does not takes that back.
        if row.word(fact) != Some("answers") {
            row.say(fact, word);
        }
    }
    match (small, large) {
        (Some(true), Some(true)) => row.say("small-segments", "both"),
        (Some(true), Some(false)) => row.say("small-segments", "answers"),
        (Some(false), _) => row.say("small-segments", "same"),
        _ => {}
    }
    // The other name says nothing where the own one passes the next time.
    if large == Some(true) && row.word("other-name") == Some("answers") {
        row.say("other-name", "both");
    }
    if walked && row.word("tcp.failure") == Some("refused") {
        row.say("refusal.born", if nearest == Some(1) { "first-hop" } else { "beyond" });
        row.quote("hop", nearest.map(|hops| hops.to_string()).unwrap_or_default());
    }
}

/// Whether it was answered, if it came to an end.
fn heard(outcome: Outcome) -> Option<bool> {
    (!unfinished(outcome)).then_some(outcome.is_ok())
}

fn unfinished(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted)
}

/// Of what stays without an answer: whether the peer's TCP has it.
fn stalled(row: &mut Row, acknowledged: Option<bool>) {
    if let Some(acknowledged) = acknowledged {
        row.say("stalled", if acknowledged { "acknowledged" } else { "unacknowledged" });
    }
}

fn issuer(seen: &Seen<'_>, chain: &[Certificate]) -> (&'static str, Mark) {
    let issuers: Vec<&str> = chain.iter().map(|certificate| certificate.issuer.as_str()).collect();
    seen.lore.words.translate("issuers", &[], &issuers.join("\n")).unwrap_or(("unknown", Mark::Unknown))
}

/// `CN=…` of a distinguished name, or all of it.
fn common_name(name: &str) -> String {
    name.split(", ").find_map(|part| part.strip_prefix("CN=")).unwrap_or(name).to_owned()
}

pub(super) fn server_tls(seen: &Seen<'_>, row: &mut Row, handshake: Option<&'static str>) {
    let requests: Vec<_> = details(seen, SERVER, |detail| match detail {
        Detail::SslRequest(request) => Some(request),
        _ => None,
    });
    if requests.is_empty() {
        return;
    }
    if handshake.is_none() {
        stalled(row, requests.iter().find_map(|(_, _, request)| request.acknowledged));
    }
    let mut evidence: Vec<usize> = requests.iter().map(|(index, _, _)| *index).collect();
    let handshakes: Vec<(usize, &Observation, &TlsHandshake)> = details(seen, SERVER, |detail| match detail {
        Detail::TlsHandshake(handshake) => Some(handshake),
        _ => None,
    });
    evidence.extend(handshakes.iter().map(|(index, _, _)| *index));
    // An address that was cut once and then did well did well: a failure needs two attempts that agree.
    let good: Vec<SocketAddr> = handshakes
        .iter()
        .filter(|(_, observation, _)| observation.outcome.is_ok())
        .filter_map(|(_, _, handshake)| handshake.peer)
        .collect();
    let cut = |observation: &Observation| {
        matches!(observation.outcome, Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted)
    };
    let word = if requests.iter().all(|(_, _, request)| good.contains(&request.peer)) {
        if row.word("inspection") == Some("trusted") { "inspected" } else { "verified" }
    } else if !good.is_empty() {
        "partly"
    } else if handshakes.is_empty() && requests.iter().any(|(_, o, _)| o.outcome.is_ok())
        || requests.iter().any(|(_, o, _)| cut(o))
        || handshakes.iter().any(|(_, o, _)| cut(o))
    {
        "undetermined"
    } else {
        "failed"
    };
    row.say("tls.result", word);
    let best = handshakes.iter().find(|(_, observation, _)| observation.outcome.is_ok());
    let observed = match (best, handshake) {
        (Some((_, _, shown)), _) => format!(
            "{}, {}, name verified",
            shown.version.as_deref().unwrap_or("TLS").replace('_', "."),
            row.value("issuer").unwrap_or("unknown issuer")
        ),
        (None, Some(word)) => format!("handshake: {word}{}", suffix(row.value("error"))),
        (None, None) => super::super::login::ssl_observed(row),
    };
    row.account("tls.result", observed, evidence);
}
