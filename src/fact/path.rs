//! The way to a host: TCP to every address or through a proxy, TLS, and the application's own reply.

use std::net::IpAddr;

mod http;
mod icmp;
mod proxy;
mod tls;

pub(super) use icmp::neighbour;

use super::{Row, Seen, listed};
use crate::evidence::{Detail, Observation, TcpConnect};
use crate::failure::Outcome;
use crate::verb::{CONTROL, SERVER};

pub(super) fn read(seen: &Seen<'_>, row: &mut Row) {
    let subject = row.subject.clone();
    route(seen, row, &subject);
    let connects: Vec<(usize, &Observation, &TcpConnect)> = details(seen, &subject, |detail| match detail {
        Detail::TcpConnect(connect) => Some(connect),
        _ => None,
    });
    let (to_proxy, to_host): (Vec<_>, Vec<_>) = connects.into_iter().partition(|(_, _, connect)| connect.proxy);
    proxy::proxy(seen, row, &subject, &to_proxy);
    let reach = tcp(seen, row, &to_host);
    let handshake = tls::tls(seen, row, &subject);
    if handshake != Some("verified") || reach != Some("all") {
        tls::comparisons(seen, row, &subject);
    }
    if subject == SERVER {
        tls::server_tls(seen, row, handshake);
        return;
    }
    let reply = http::http(seen, row, &subject);
    let word = result(row, reach, handshake, reply);
    if let Some(word) = word {
        row.say("reach.result", word);
        let evidence = seen
            .of(&subject)
            .filter(|(_, observation)| {
                matches!(
                    observation.detail,
                    Detail::TcpConnect(_) | Detail::ProxyConnect(_) | Detail::TlsHandshake(_) | Detail::HttpExchange(_)
                )
            })
            .map(|(index, _)| index)
            .collect();
        let observed = observed(row, word);
        row.account("reach.result", observed, evidence);
    }
}

/// The control destination: what it does is a fact of the whole run.
pub(super) fn control(seen: &Seen<'_>) -> Row {
    let subject = seen.settings.control.as_deref().unwrap_or(CONTROL);
    let mut row = Row::of(subject);
    read(seen, &mut row);
    let host = seen.host(subject).unwrap_or_default();
    let word = match (row.word("tcp.reach"), row.word("tls.handshake")) {
        (Some("all" | "some" | "by-prefix" | "by-family" | "undetermined"), handshake) => match handshake {
            None | Some("undetermined") => "undetermined",
            Some("silent" | "reset" | "closed" | "alert" | "not-tls" | "failed") => "accepts",
            Some(_) => "answers",
        },
        (Some("none"), _) => match row.word("tcp.failure") {
            Some("silent") => "silent",
            Some("refused") => "refused",
            Some("unreachable" | "no-route" | "denied") => "unreachable",
            _ => "undetermined",
        },
        _ => "untested",
    };
    row.say("run.other-443", word);
    let (observed, evidence) = match word {
        "untested" => {
            ("not asked: no host of Entra was in doubt, or there is none to ask from here".to_owned(), Vec::new())
        }
        word => {
            let own = seen.of(subject).map(|(index, _)| index).collect();
            (format!("{host}:{}{}", row.value("port").unwrap_or("443"), told_control(word, seen)), own)
        }
    };
    row.quote("host", host);
    row.account("run.other-443", observed, evidence);
    row
}

fn told_control(word: &str, seen: &Seen<'_>) -> String {
    match word {
        "answers" => " answers".to_owned(),
        "accepts" => " accepts TCP, and no TLS comes about".to_owned(),
        "silent" => format!(": {}", told("silent", format!("{} s", seen.settings.timeout_ms as f64 / 2000.0))),
        "undetermined" => " was not heard before the run ended".to_owned(),
        word => format!(": {}", told(word, patience(seen))),
    }
}

fn details<'a, T>(
    seen: &'a Seen<'_>,
    subject: &'a str,
    pick: impl Fn(&'a Detail) -> Option<&'a T>,
) -> Vec<(usize, &'a Observation, &'a T)> {
    seen.of(subject)
        .filter_map(|(index, observation)| pick(&observation.detail).map(|detail| (index, observation, detail)))
        .collect()
}

fn route(seen: &Seen<'_>, row: &mut Row, subject: &str) {
    let Some(route) = seen.settings.routes.iter().find(|route| route.subject == subject) else { return };
    row.say("route", if route.proxy.is_some() { "proxy" } else { "direct" });
    if super::vocabulary::fact("route.why").is_some_and(|fact| fact.words.contains(&route.why.as_str())) {
        row.say("route.why", &route.why);
    }
    if let Some(proxy) = &route.proxy {
        let kinds = ["socks5h", "socks5", "http"];
        let kind = kinds.into_iter().find(|kind| proxy.starts_with(&format!("{kind}://")));
        row.say("proxy.kind", kind.unwrap_or("http"));
    }
    row.quote("proxy", route.proxy.clone().unwrap_or_default());
    row.quote("variable", &route.variable);
}

/// How an attempt to connect failed.
fn failure(observation: &Observation, connect: &TcpConnect) -> &'static str {
    match observation.outcome {
        // Of ICMP errors the kernel makes EACCES and ENETUNREACH too, which it says itself where it does not send; the sender tells.
        Outcome::Denied | Outcome::NetworkUnreachable if icmp::is_foreign(connect) => "unreachable",
        Outcome::Timeout => "silent",
        Outcome::Refused | Outcome::Reset | Outcome::Closed => "refused",
        Outcome::HostUnreachable => "unreachable",
        Outcome::NetworkUnreachable => "no-route",
        Outcome::Denied => "denied",
        _ => "mixed",
    }
}

fn tcp(seen: &Seen<'_>, row: &mut Row, connects: &[(usize, &Observation, &TcpConnect)]) -> Option<&'static str> {
    // An address of a family without any route is no fault where there are others: nobody would use it.
    let routed = |four: bool| {
        seen.machine().is_none_or(|machine| if four { machine.ipv4_source } else { machine.ipv6_source }.is_some())
    };
    let usable = |(_, observation, connect): &&(usize, &Observation, &TcpConnect)| {
        observation.outcome != Outcome::NetworkUnreachable
            || connect.icmp.is_some()
            || routed(connect.dialled.is_ipv4())
    };
    let mut counted: Vec<_> = connects.iter().filter(usable).collect();
    if counted.is_empty() {
        counted = connects.iter().collect();
        let four = counted.first()?.2.dialled.is_ipv4();
        if routed(!four) && counted.iter().all(|(_, _, connect)| connect.dialled.is_ipv4() == four) {
            row.say("tcp.unrouted", if four { "ipv4" } else { "ipv6" });
            row.quote("family", if four { "IPv4" } else { "IPv6" });
            row.quote("other_family", if four { "IPv6" } else { "IPv4" });
        }
    }
    let first = counted.first()?;
    row.quote("port", first.2.peer.port().to_string());
    let ok = |observation: &Observation| observation.outcome.is_ok();
    let failed: Vec<_> = counted.iter().filter(|(_, observation, _)| !ok(observation)).collect();
    let cut = |observation: &Observation| {
        matches!(observation.outcome, Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted)
    };
    let family = |four: bool| counted.iter().filter(move |(_, _, connect)| connect.peer.is_ipv4() == four);
    let whole = |four: bool, good: bool| {
        family(four).count() > 0 && family(four).all(|(_, observation, _)| ok(observation) == good)
    };
    let reach = if failed.is_empty() {
        "all"
    } else if failed.iter().any(|(_, observation, _)| cut(observation)) {
        "undetermined"
    } else if failed.len() == counted.len() {
        "none"
    } else if (whole(true, true) && whole(false, false)) || (whole(true, false) && whole(false, true)) {
        "by-family"
    } else if let Some(prefix) = prefix(seen, &counted) {
        row.quote("prefix", prefix);
        "by-prefix"
    } else {
        "some"
    };
    row.say("tcp.reach", reach);
    let mut kinds: Vec<&'static str> =
        failed.iter().map(|(_, observation, connect)| failure(observation, connect)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // Routers limit how many ICMP errors they send (RFC 1812, section 4.3.2.8): beside one that came, silence is the same. An address
    // is tried twice before an error at once counts, so two attempts do agree.
    if kinds.as_slice() == ["silent", "unreachable"] {
        kinds = vec!["unreachable"];
    }
    match kinds.as_slice() {
        [] => {}
        [one] => row.say("tcp.failure", one),
        _ => row.say("tcp.failure", "mixed"),
    }
    icmp::read(row, failed.iter().map(|(_, _, connect)| *connect));
    if let [(_, observation, _), ..] = failed.as_slice() {
        row.quote("error", super::said(observation));
    }
    row.quote("failed", listed(failed.iter().map(|(_, _, connect)| connect.peer)));
    row.quote("addresses", listed(counted.iter().map(|(_, _, connect)| connect.peer.ip())));
    let remote = failed.first().copied().or(counted.first());
    row.quote("remote_address", remote.map(|(_, _, connect)| connect.peer.ip().to_string()).unwrap_or_default());
    let local = counted.iter().find_map(|(_, _, connect)| connect.local).filter(|local| !local.is_loopback());
    let local = local.or_else(|| seen.machine().and_then(|machine| machine.ipv4_source));
    row.quote("local_address", local.map(|local: IpAddr| local.to_string()).unwrap_or_default());
    let good = counted.len() - failed.len();
    let observed = match (reach, kinds.as_slice()) {
        ("all", _) if counted.len() == 1 => format!("{} accepts", first.2.peer),
        ("all", _) => format!("all {good} addresses accept"),
        ("none", [kind]) => {
            format!("{} at {}", told(kind, patience(seen)), listed(counted.iter().map(|(_, _, c)| c.peer)))
        }
        (_, [kind]) => {
            let peers = listed(failed.iter().map(|(_, _, connect)| connect.peer));
            format!("{good} of {} addresses accept; {} at {peers}", counted.len(), told(kind, patience(seen)))
        }
        _ => format!("{good} of {} addresses accept", counted.len()),
    };
    row.account("tcp.reach", observed, counted.iter().map(|(index, _, _)| *index).collect());
    Some(reach)
}

/// The one range that holds every address that fails and none that accepts: a prefix of the service tag, or 16 bits. It takes two that
/// fail to make a range.
fn prefix(seen: &Seen<'_>, connects: &[&(usize, &Observation, &TcpConnect)]) -> Option<String> {
    let (good, bad): (Vec<_>, Vec<_>) = connects.iter().partition(|(_, observation, _)| observation.outcome.is_ok());
    let addresses = |of: &[&&(usize, &Observation, &TcpConnect)]| {
        of.iter().map(|(_, _, connect)| connect.peer.ip()).collect::<Vec<IpAddr>>()
    };
    let (good, bad) = (addresses(&good), addresses(&bad));
    let IpAddr::V4(first) = *bad.first().filter(|_| bad.len() > 1)? else { return None };
    let published = seen.cloud.tag.iter().flat_map(|tag| &tag.prefixes).copied();
    let sixteen = ipnet::Ipv4Net::new(first, 16).ok().map(|net| net.trunc().into());
    let mut ranges = published.chain(sixteen);
    let range: ipnet::IpNet = ranges.find(|range| {
        bad.iter().all(|address| range.contains(address)) && !good.iter().any(|address| range.contains(address))
    })?;
    Some(range.to_string())
}

fn patience(seen: &Seen<'_>) -> String {
    let seconds = seen.settings.timeout_ms as f64 / 1000.0;
    format!("{seconds} s")
}

fn told(kind: &str, patience: String) -> String {
    match kind {
        "silent" => format!("no answer to SYN in {patience}"),
        "refused" => "connection refused".to_owned(),
        "unreachable" => "host unreachable (ICMP)".to_owned(),
        "no-route" => "no route from this machine".to_owned(),
        "denied" => "this machine's kernel refused to send".to_owned(),
        _ => "different failures".to_owned(),
    }
}

fn suffix(text: Option<&str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

fn result(row: &Row, reach: Option<&str>, handshake: Option<&str>, reply: Option<&str>) -> Option<&'static str> {
    let undetermined = |word: Option<&str>| word == Some("undetermined");
    if reply == Some("expected") {
        if row.word("inspection") == Some("trusted") {
            return Some("inspected");
        }
        // IPv6 that leads nowhere while IPv4 works is a matter of this machine, told by the check of IPv6.
        let v6_only = reach == Some("by-family") && row.value("failed").is_some_and(|failed| failed.starts_with('['));
        return Some(if matches!(reach, Some("some" | "by-prefix" | "by-family")) && !v6_only {
            "partly"
        } else {
            "expected"
        });
    }
    let proxied = [row.word("proxy.reach"), row.word("proxy.reply")];
    if undetermined(reply) || undetermined(handshake) || undetermined(reach) || proxied.into_iter().any(undetermined) {
        return Some("undetermined");
    }
    // What had gone well so far when the run ended has not failed.
    let went_well = match (reply, handshake) {
        (None, Some("verified")) => true,
        (None, None) => match proxied {
            [Some("ok"), reply] => matches!(reply, None | Some("ok")),
            [None, _] => matches!(reach, Some("all" | "some" | "by-prefix" | "by-family")),
            _ => false,
        },
        _ => false,
    };
    if went_well {
        return Some("undetermined");
    }
    if reach.is_none() && handshake.is_none() && reply.is_none() && proxied.into_iter().all(|word| word.is_none()) {
        return None;
    }
    Some("failed")
}

fn observed(row: &Row, word: &str) -> String {
    let error = || suffix(row.value("error"));
    let through = match (row.word("route"), row.value("proxy")) {
        (Some("proxy"), Some(proxy)) => format!(" through {proxy}"),
        _ => String::new(),
    };
    let tcp = || row.account_of("tcp.reach").map(|account| account.observed.clone()).unwrap_or_default();
    match (word, row.word("http.reply"), row.word("tls.handshake")) {
        ("expected", ..) => format!("answers as itself over verified TLS{through}"),
        ("inspected", ..) => format!(
            "answers{through}, but its certificate was made by {}",
            row.value("issuer").unwrap_or("a middlebox")
        ),
        ("partly", ..) => tcp(),
        (_, Some(reply), _) if reply != "expected" => {
            let reply = reply.replace('-', " ");
            match row.value("status") {
                Some(status) => format!("HTTP {status}: {reply}{through}"),
                None => format!("{reply}{}{through}", error()),
            }
        }
        (_, _, Some("verified")) => format!("TLS verified{through}, then nothing"),
        (_, _, Some(handshake)) => format!("TLS handshake{through}: {}{}", handshake.replace('-', " "), error()),
        _ => match (row.word("proxy.reach"), row.word("proxy.reply")) {
            (Some("ok"), Some(reply)) => {
                format!("the proxy{through} says: {}{}", reply.replace('-', " "), error()).replace(" through", "")
            }
            (Some(reach), _) if reach != "ok" => {
                format!("the proxy{through} is {}", reach.replace('-', " ")).replace(" through", "")
            }
            _ => tcp(),
        },
    }
}
