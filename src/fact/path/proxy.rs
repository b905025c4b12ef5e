//! The way through a proxy: whether it is reached, and what it answers to CONNECT.

use super::super::{Row, Seen};
use super::details;
use crate::evidence::{Detail, Observation, ProxyConnect, TcpConnect};
use crate::failure::Outcome;
use crate::words::Mark;

/// Headers in which a proxy says who it is and why it refuses.
const TELLING: [&str; 7] =
    ["proxy-authenticate", "x-squid-error", "x-zscaler-reason", "x-bluecoat-via", "server", "via", "proxy-agent"];

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
        _ if reply.socks.is_some() => socks_word(reply),
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
    if word != "ok"
        && let Some((reason, mark)) = reason(seen, reply)
    {
        row.say_marked("proxy.reason", reason, mark);
    }
    let socks = reply.socks.as_ref().map(|_| "over SOCKS5".to_owned());
    row.quote("status", reply.status.map(|status| status.to_string()).or(socks).unwrap_or_default());
    let headers = reply.headers.iter().filter(|header| TELLING.contains(&header.name.as_str()));
    let mut said: Vec<String> = headers.map(|header| format!("{}: {}", header.name, header.value)).collect();
    said.extend(reply.quote.as_ref().map(|quote| super::super::plain(quote)));
    if reply.socks.is_some() {
        said.push(super::super::said(observation).trim_start_matches("SOCKS5 ").to_owned());
    }
    row.quote("quote", said.join("; "));
    row.quote("error", super::super::said(observation));
}

/// What a SOCKS5 refusal means for the way through the proxy.
fn socks_word(reply: &ProxyConnect) -> &'static str {
    match reply.socks.as_deref().unwrap_or_default() {
        "no-acceptable-method" if reply.credentials_sent => "auth-rejected",
        "no-acceptable-method" => "auth-required",
        "login-refused" => "auth-rejected",
        "not-allowed" => "denied",
        "network-unreachable" | "host-unreachable" | "connection-refused" | "ttl-expired" | "general-failure" => {
            "bad-gateway"
        }
        _ => "unsupported",
    }
}

/// Why, as the proxy says it: by its reply of SOCKS5, or by headers and body.
fn reason(seen: &Seen<'_>, reply: &ProxyConnect) -> Option<(&'static str, Mark)> {
    let word = match reply.socks.as_deref() {
        Some("no-acceptable-method" | "login-refused") => "login",
        Some("not-allowed") => "policy",
        Some("connection-refused") => "destination-refused",
        Some("network-unreachable" | "host-unreachable" | "ttl-expired") => "destination-unreachable",
        Some(_) => return None,
        None => {
            let status = reply.status?;
            let headers: String =
                reply.headers.iter().map(|header| format!("{}: {}\n", header.name, header.value)).collect();
            let text = format!("{status}\n{headers}\n{}", reply.quote.as_deref().unwrap_or_default());
            return seen.lore.words.translate("proxies", &[&status.to_string()], &text);
        }
    };
    Some((word, Mark::Sourced))
}
