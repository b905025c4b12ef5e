//! The way through a proxy: whether it is reached, and what it answers to CONNECT.

use super::super::{Row, Seen};
use super::details;
use crate::evidence::{Detail, Observation, ProxyConnect, TcpConnect};
use crate::failure::Outcome;

pub(super) fn proxy(seen: &Seen<'_>, row: &mut Row, subject: &str, connects: &[(usize, &Observation, &TcpConnect)]) {
    let unresolved = seen.of(subject).any(|(_, observation)| {
        matches!(&observation.detail, Detail::Probe(note) if note.note == crate::evidence::PROXY_UNRESOLVED)
    });
    if unresolved {
        row.say("proxy.reach", "unresolved");
        return;
    }
    let Some((_, observation, _)) = connects.iter().find(|(_, o, _)| o.outcome.is_ok()).or(connects.last()) else {
        return;
    };
    row.say(
        "proxy.reach",
        match observation.outcome {
            Outcome::Ok => "ok",
            Outcome::Timeout => "silent",
            Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
            Outcome::HostUnreachable | Outcome::NetworkUnreachable | Outcome::Denied => "unreachable",
            _ => "refused",
        },
    );
    let replies: Vec<(usize, &Observation, &ProxyConnect)> = details(seen, subject, |detail| match detail {
        Detail::ProxyConnect(connect) => Some(connect),
        _ => None,
    });
    let Some((_, observation, reply)) = replies.iter().find(|(_, o, _)| o.outcome.is_ok()).or(replies.last()) else {
        return;
    };
    let word = match (observation.outcome, reply.status) {
        (Outcome::Ok, _) => "ok",
        (_, Some(407)) if reply.credentials_sent => "auth-rejected",
        (_, Some(407)) => "auth-required",
        (_, Some(502..=504)) => "bad-gateway",
        (_, Some(500)) if reply.headers.iter().any(|header| header.name == "x-squid-error") => "bad-gateway",
        (_, Some(429)) => "unavailable",
        (_, Some(400 | 404 | 405 | 501)) => "not-a-proxy",
        (_, Some(500..)) => "unavailable",
        (_, Some(_)) => "denied",
        (Outcome::Timeout, None) => "silent",
        (Outcome::Garbage | Outcome::TooLarge, None) => "not-a-proxy",
        (Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted, None) => "undetermined",
        _ => "closed",
    };
    row.say("proxy.reply", word);
    row.quote("status", reply.status.map(|status| status.to_string()).unwrap_or_default());
    let headers =
        reply.headers.iter().filter(|header| ["proxy-authenticate", "x-squid-error"].contains(&header.name.as_str()));
    let mut said: Vec<String> = headers.map(|header| format!("{}: {}", header.name, header.value)).collect();
    said.extend(reply.quote.as_ref().map(|quote| super::super::plain(quote)));
    row.quote("quote", said.join("; "));
    row.quote("error", super::super::said(observation));
}
