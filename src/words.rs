//! Word lists: codes and texts of the world, translated into words of the vocabulary, each with how well it is known.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// How well something is known. Ordered from the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Mark {
    /// Looked for and not found.
    #[serde(rename = "U")]
    Unknown,
    /// From memory.
    #[serde(rename = "M")]
    Memory,
    /// Inferred from sourced facts.
    #[serde(rename = "I")]
    Inferred,
    /// A source says so.
    #[serde(rename = "S")]
    Sourced,
}

/// All lists, by name.
#[derive(Default)]
pub struct Words {
    lists: BTreeMap<String, List>,
}

/// One list: the first row that fits is taken.
pub struct List {
    pub default: Option<&'static str>,
    pub rows: Vec<Row>,
}

/// A row fits when one of its codes is given (if it has any) and its text matches (if it has one).
pub struct Row {
    pub word: &'static str,
    pub codes: Vec<String>,
    pub text: Option<Pattern>,
    pub mark: Mark,
}

/// A regular expression that is compiled when it is first asked: most runs never meet most of them.
pub struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

/// A pattern's compiled size is bounded, so that a user's list cannot cost more than a run.
const SIZE: usize = 1 << 20;

impl Pattern {
    pub fn new(text: &str) -> Pattern {
        Pattern { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// Compiles it now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self) -> Result<(), String> {
        let compiled = RegexBuilder::new(&self.text).size_limit(SIZE).build().map_err(|error| error.to_string())?;
        let _ = self.compiled.set(Some(compiled));
        Ok(())
    }

    fn is_match(&self, text: &str) -> bool {
        let compile = || RegexBuilder::new(&self.text).size_limit(SIZE).build().ok();
        self.compiled.get_or_init(compile).as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

impl Words {
    pub fn insert(&mut self, name: &str, list: List) {
        self.lists.insert(name.to_owned(), list);
    }

    /// Every pattern of every list, for a test that compiles them all.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.lists.values().flat_map(|list| &list.rows).filter_map(|row| row.text.as_ref())
    }

    /// The word for codes and a text, and how well its row is known.
    pub fn translate(&self, list: &str, codes: &[&str], text: &str) -> Option<(&'static str, Mark)> {
        let list = self.lists.get(list)?;
        let fits = |row: &Row| {
            (row.codes.is_empty() || codes.iter().any(|code| row.codes.iter().any(|known| known == code)))
                && row.text.as_ref().is_none_or(|pattern| pattern.is_match(text))
        };
        let found = list.rows.iter().find(|row| fits(row)).map(|row| (row.word, row.mark));
        found.or_else(|| list.default.map(|word| (word, Mark::Unknown)))
    }

    /// Whether a row of this word fits the text: for lists of which several words can hold at once.
    pub fn holds(&self, list: &str, word: &str, text: &str) -> bool {
        let rows = self.lists.get(list).into_iter().flat_map(|list| &list.rows).filter(|row| row.word == word);
        rows.filter_map(|row| row.text.as_ref()).any(|pattern| pattern.is_match(text))
    }
}
