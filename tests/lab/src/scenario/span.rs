//! Spans of time as files and command lines write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A signed span of seconds, written `24h`, `-20m` or `+90s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub i64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        span(&text)
            .map(Span)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a span; write 24h, -20m or 90s")))
    }
}

fn span(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let unit = rest.chars().last()?;
    let scale = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = rest[..rest.len() - 1].parse().ok()?;
    Some(sign * i64::from(number) * scale)
}

/// A patience as the command line writes it: `1s`, `300ms`, `2m`.
pub fn patience(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    span(text).and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span("-20m"), Some(-1200));
        assert_eq!(span("+1h"), Some(3600));
        assert_eq!(span("1 h"), None);
        assert_eq!(patience("300ms"), Some(Duration::from_millis(300)));
    }
}
