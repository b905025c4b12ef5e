//! The application's own reply.

use super::super::{Row, Seen};
use super::details;
use crate::evidence::{Detail, HttpExchange, Observation};
use crate::failure::Outcome;
use crate::words::Mark;

pub(super) fn http(seen: &Seen<'_>, row: &mut Row, subject: &str) -> Option<&'static str> {
    let exchanges: Vec<(usize, &Observation, &HttpExchange)> = details(seen, subject, |detail| match detail {
        Detail::HttpExchange(exchange) => Some(exchange),
        _ => None,
    });
    let (_, observation, exchange) = exchanges.iter().find(|(_, _, exchange)| exchange.expected).or(exchanges.last())?;
    let (word, mark) = reply_word(seen, observation, exchange);
    row.say_marked("http.reply", word, mark);
    row.quote("status", exchange.status.map(|status| status.to_string()).unwrap_or_default());
    row.quote("location", exchange.location.clone().unwrap_or_default());
    row.quote("quote", exchange.quote.as_deref().map(super::super::plain).unwrap_or_default());
    if !observation.outcome.is_ok() {
        row.quote("error", super::super::said(observation));
    }
    Some(word)
}

fn reply_word(seen: &Seen<'_>, observation: &Observation, exchange: &HttpExchange) -> (&'static str, Mark) {
    if exchange.expected {
        return ("expected", Mark::Sourced);
    }
    let Some(status) = exchange.status else {
        let word = match observation.outcome {
            Outcome::Timeout => "silent",
            Outcome::Garbage => "not-http",
            Outcome::TooLarge => "too-large",
            Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted => "undetermined",
            _ => "closed",
        };
        return (word, Mark::Sourced);
    };
    let headers: String =
        exchange.headers.iter().map(|header| format!("{}: {}\n", header.name, header.value)).collect();
    let text = format!("{status}\n{headers}\n{}", exchange.quote.as_deref().unwrap_or_default());
    if let Some(found) = seen.lore.words.translate("pages", &[&status.to_string()], &text) {
        return found;
    }
    let html = exchange.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
    let word = match status {
        300..=399 if exchange.location.is_some() => "foreign-redirect",
        429 => "throttled",
        401 | 403 | 451 if html => "block-page",
        401 | 403 | 451 => "denied",
        500.. if html => "block-page",
        500.. => "unavailable",
        _ if html => "html",
        _ => "unexpected",
    };
    (word, Mark::Sourced)
}
