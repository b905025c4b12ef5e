//! What may be said of a token, and how long it is good by the measured clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Detail, Observation};

/// What may be said of a token: its form, length bucket, and an allow-list of claims.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub source: String,
    pub form: String,
    pub bytes: usize,
    pub audience: Vec<String>,
    pub issuer: Option<String>,
    pub tenant: Option<String>,
    pub identity_type: Option<String>,
    pub user_name: Option<String>,
    pub object_id: Option<String>,
    pub application_id: Option<String>,
    pub expires: Option<i64>,
    pub not_before: Option<i64>,
    pub issued_at: Option<i64>,
    pub clock: i64,
}

/// How a token stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Seconds that are left.
    Valid {
        left: i64,
    },
    EndsSoon {
        left: i64,
    },
    Expired,
    NotYetValid,
    /// The token names no end.
    Unsaid,
}

/// Less than this is too little for a session to be opened with.
const SOON: i64 = 300;
/// Microsoft's libraries tolerate five minutes between clocks.
const TOLERANCE: i64 = 300;

impl Claims {
    /// Whether the token is good now; `skew` is how far this machine's clock is ahead, in seconds, when it was measured.
    pub fn validity(&self, skew: Option<i64>) -> Validity {
        let now = self.clock.saturating_sub(skew.unwrap_or(0));
        let Some(end) = self.expires else { return Validity::Unsaid };
        let left = end.saturating_sub(now);
        if left <= 0 {
            Validity::Expired
        } else if self.not_before.is_some_and(|begin| begin > now.saturating_add(TOLERANCE)) {
            Validity::NotYetValid
        } else if left < SOON {
            Validity::EndsSoon { left }
        } else {
            Validity::Valid { left }
        }
    }

    /// Form and length, never the text.
    pub fn told_form(&self) -> String {
        let form = match self.form.as_str() {
            "jwt" => "a JWT",
            "quoted" => "in quotes",
            "bearer" => "with `Bearer` before it",
            "json" => "wrapped in JSON",
            "empty" => "empty",
            "control-characters" => "with control characters or blanks inside",
            "too-long" => "longer than any token",
            _ => "no JWT (three base64url parts joined by dots)",
        };
        format!("{form}, {} bytes", self.bytes)
    }

    /// Whom the token names, shortened.
    pub fn principal(&self) -> String {
        let short = |id: &String| id.chars().take(8).collect::<String>();
        match (&self.user_name, &self.application_id, &self.object_id) {
            (Some(name), ..) => format!("user {name}"),
            (None, Some(application), _) => format!("application {}…", short(application)),
            (None, None, Some(object)) => format!("object {}…", short(object)),
            _ => "nobody named".to_owned(),
        }
    }
}

/// How far this machine's clock is ahead of its peers' Date headers, in seconds; the median of all that gave one.
pub fn skew(evidence: &[Observation]) -> Option<i64> {
    let mut skews: Vec<i64> = evidence
        .iter()
        .filter_map(|observation| match &observation.detail {
            Detail::HttpExchange(exchange) => exchange.date.map(|date| exchange.clock.saturating_sub(date)),
            Detail::Metadata(reply) => reply.date.map(|date| reply.clock.saturating_sub(date)),
            _ => None,
        })
        .collect();
    // Two clocks that contradict each other convict neither ours nor theirs: the smaller error is believed.
    skews.sort_by_key(|skew| skew.abs());
    skews.get(skews.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_by_the_measured_clock() {
        let claims = Claims { clock: 10_000, expires: Some(11_000), not_before: Some(9_000), ..Claims::default() };
        assert_eq!(claims.validity(None), Validity::Valid { left: 1000 });
        assert_eq!(claims.validity(Some(-1000)), Validity::Expired);
        assert_eq!(claims.validity(Some(2000)), Validity::NotYetValid);
        assert_eq!(claims.validity(Some(-800)), Validity::EndsSoon { left: 200 });
    }
}
