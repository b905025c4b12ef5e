//! ICMP errors that ended connection attempts: who sent them, and what they say.

use std::net::IpAddr;

use super::super::icmp::{common, says, sender, told};
use super::super::{Row, Seen};
use crate::evidence::{Changed, Detail, IcmpError, Observation, TcpConnect};
use crate::failure::Outcome;
use crate::verb::SERVER;

/// Two tries and the pause between them take no longer, milliseconds, when a router says no; ARP and neighbour discovery give up after
/// three seconds.
const AT_ONCE: u64 = 2_000;
/// The same for a single try.
const ONE_TRY: u64 = 1_000;

/// Whether somebody else than this machine said no.
pub(super) fn is_foreign(connect: &TcpConnect) -> bool {
    connect.icmp.is_some_and(|icmp| icmp.to.is_some_and(|own| own != icmp.from))
}

/// What all ICMP errors of a host's attempts agree on.
pub(super) fn read<'a>(row: &mut Row, failed: impl Iterator<Item = &'a TcpConnect>) {
    let errors: Vec<_> = failed.filter_map(|connect| connect.icmp.map(|icmp| (icmp, connect))).collect();
    let Some((first, _)) = errors.first() else { return };
    if let Some(word) = common(errors.iter().map(|(icmp, connect)| sender(icmp, connect.dialled.ip()))) {
        row.say("icmp.sender", word);
    }
    if let Some(word) = common(errors.iter().map(|(icmp, _)| says(icmp))) {
        row.say("icmp.says", word);
    }
    let mut senders: Vec<String> = errors.iter().map(|(icmp, _)| icmp.from.to_string()).collect();
    senders.sort();
    senders.dedup();
    row.quote("icmp", told(first, &senders.join(", ")));
}

/// Whether the way to the hosts of this run lacks a neighbour, whose it is, and the news of it. Whoever looks for a neighbour keeps a few
/// packets for it and drops the others in silence, so this is a matter of the run and not of each host. One late piece of news is enough
/// where none came at once: who limits how often he says no, says it first and then falls silent.
pub(in super::super) fn neighbour(seen: &Seen<'_>) -> Option<(&'static str, String)> {
    let unreachable =
        |observation: &&Observation| observation.outcome == Outcome::HostUnreachable && observation.subject != SERVER;
    let heard = seen.evidence.iter().filter(unreachable).filter_map(|observation| {
        let took = observation.duration_ms;
        match &observation.detail {
            Detail::TcpConnect(connect) if !connect.proxy => Some((took > AT_ONCE, connect.icmp, connect.dialled.ip())),
            Detail::Comparison(other) if other.changed == Changed::OtherPort => {
                Some((took > ONE_TRY, other.icmp, other.peer.ip()))
            }
            _ => None,
        }
    });
    let (late, soon): (Vec<_>, Vec<_>) = heard.partition(|(late, ..)| *late);
    let news: Vec<(Option<IcmpError>, IpAddr)> = late.into_iter().map(|(_, icmp, peer)| (icmp, peer)).collect();
    let first = news.first().filter(|_| news.len() > 1 || soon.is_empty())?;
    let sent = news.iter().map(|(icmp, peer)| icmp.as_ref().map_or("nobody", |icmp| sender(icmp, *peer)));
    let word = match common(sent) {
        Some("this-machine") => "missing-here",
        Some("router") => "missing-beyond",
        _ => "missing",
    };
    Some((word, first.0.map_or_else(String::new, |icmp| told(&icmp, &icmp.from.to_string()))))
}
