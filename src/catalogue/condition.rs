//! Conditions: a conjunction of "this fact is one of these words".

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::fact::Row;

/// All of these facts must have been said, each as one of its words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct When(BTreeMap<String, Vec<String>>);

impl When {
    /// Whether it holds; a fact that nobody said makes it false.
    pub fn holds(&self, row: &Row) -> bool {
        self.0.iter().all(|(fact, words)| row.word(fact).is_some_and(|said| words.iter().any(|word| word == said)))
    }

    /// Whether whatever satisfies this also satisfies `other`.
    pub fn implies(&self, other: &When) -> bool {
        other
            .0
            .iter()
            .all(|(fact, wide)| self.0.get(fact).is_some_and(|narrow| narrow.iter().all(|word| wide.contains(word))))
    }

    pub fn facts(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(fact, words)| (fact.as_str(), words.as_slice()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
