//! Where probes leave what they saw: in order, timed, and with the run's own secrets blotted out.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Detail, Observation};
use crate::failure::Outcome;
use crate::secret::{Redactor, Secret};

#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    observations: Vec<Observation>,
    redactor: Redactor,
    /// What is under way, for the live line: a number and a phrase.
    waiting: Vec<(u64, String)>,
    next: u64,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder(Arc::new(Inner { began: Instant::now(), kept: Mutex::default() }))
    }

    /// From now on this secret is blotted out of everything that is kept.
    pub fn protect(&self, secret: &Secret) {
        self.kept().redactor.learn(secret);
    }

    /// Begins an operation. If it is dropped before its end (deadline, interrupt, panic) it is kept as cut short.
    pub fn begin(&self, subject: &str, phrase: impl Into<String>, detail: Detail) -> Pending {
        let mut kept = self.kept();
        let number = kept.next;
        kept.next += 1;
        kept.waiting.push((number, phrase.into()));
        Pending {
            recorder: self.clone(),
            subject: subject.to_owned(),
            began: Instant::now(),
            number,
            attempts: 1,
            detail,
            ended: false,
        }
    }

    /// An observation that took no time.
    pub fn note(&self, subject: &str, outcome: Outcome, detail: Detail) {
        self.begin(subject, "", detail).end(outcome, None);
    }

    pub fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Whether any operation is under way.
    pub fn is_waiting(&self) -> bool {
        !self.kept().waiting.is_empty()
    }

    pub fn waiting_for(&self) -> Option<String> {
        self.kept().waiting.iter().map(|(_, phrase)| phrase).find(|phrase| !phrase.is_empty()).cloned()
    }

    pub fn observations(&self) -> Vec<Observation> {
        self.kept().observations.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::new()
    }
}

/// An operation under way.
pub struct Pending {
    recorder: Recorder,
    subject: String,
    began: Instant,
    number: u64,
    pub attempts: u32,
    pub detail: Detail,
    ended: bool,
}

impl Pending {
    pub fn end(mut self, outcome: Outcome, error: Option<String>) {
        self.keep(outcome, error);
    }

    fn keep(&mut self, outcome: Outcome, error: Option<String>) {
        self.ended = true;
        let mut kept = self.recorder.kept();
        kept.waiting.retain(|(number, _)| *number != self.number);
        let observation = Observation {
            subject: self.subject.clone(),
            outcome,
            error,
            at_ms: millis(self.began.duration_since(self.recorder.0.began)),
            duration_ms: millis(self.began.elapsed()),
            attempts: self.attempts,
            operation: self.detail.operation(),
            detail: self.detail.clone(),
        };
        let observation = redacted(observation, &kept.redactor);
        kept.observations.push(observation);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.ended {
            self.keep(Outcome::CutShort, None);
        }
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Every string passes here, so no probe can forget to.
fn redacted(observation: Observation, redactor: &Redactor) -> Observation {
    let Ok(mut value) = serde_json::to_value(&observation) else { return observation };
    walk(&mut value, redactor, false);
    serde_json::from_value(value).unwrap_or(observation)
}

/// Members whose text a peer wrote.
const PEERS: [&str; 16] = [
    "error",
    "quote",
    "value",
    "description",
    "message",
    "detail",
    "hint",
    "answer",
    "location",
    "note",
    "content_type",
    "text",
    "extra_text",
    "display_name",
    "user_principal_name",
    "mail",
];

fn walk(value: &mut Value, redactor: &Redactor, peers: bool) {
    match value {
        Value::String(text) => {
            let clean = if peers { redactor.clean(text) } else { redactor.clean_long(text) };
            if clean != *text {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, redactor, peers)),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, item)| walk(item, redactor, PEERS.contains(&name.as_str()) && !item.is_object())),
        _ => {}
    }
}
