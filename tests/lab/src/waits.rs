//! How long a run waited in vain, and how often one time after the other: read from its evidence, so that a busy machine changes little.

use std::time::Duration;

use serde_json::Value;

/// The longest that anything was waited for in vain: the time limit of the layer that fails.
pub fn longest(report: &Value) -> Duration {
    let observations = report["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    let waits = observations.iter().filter(|one| one["outcome"] == "timeout");
    Duration::from_millis(waits.filter_map(|one| one["duration_ms"].as_u64()).max().unwrap_or(0))
}

/// The longest chain of observations that each ran into a time limit, none beginning before the one in front of it had ended.
pub fn in_a_row(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let observations = report["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    let mut waits: Vec<(u64, u64, String)> = observations
        .iter()
        .filter(|one| one["outcome"] == "timeout")
        .filter_map(|one| {
            let began = one["at_ms"].as_u64()?;
            let ended = began + one["duration_ms"].as_u64()?;
            Some((ended, began, format!("{} of {}", text(&one["operation"]), text(&one["subject"]))))
        })
        .collect();
    waits.sort();
    let mut chain = Vec::new();
    let mut free = 0;
    for (ended, began, what) in waits {
        // Whoever ends first leaves the most room for others: the choice that gives the longest chain.
        if began >= free {
            chain.push(what);
            free = ended;
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_follows_counts() {
        let one = |at: u64, took: u64, outcome: &str| json!({ "outcome": outcome, "operation": "tcp-connect", "subject": "login", "at_ms": at, "duration_ms": took });
        let report = |rows: Vec<Value>| json!({ "evidence": rows });
        assert!(in_a_row(&report(vec![one(0, 1000, "refused")])).is_empty());
        assert_eq!(in_a_row(&report(vec![one(5, 1000, "timeout"), one(300, 1000, "timeout")])).len(), 1);
        let twice = report(vec![one(0, 2500, "timeout"), one(0, 1000, "timeout"), one(1000, 1000, "timeout")]);
        assert_eq!(in_a_row(&twice).len(), 2);
    }
}
