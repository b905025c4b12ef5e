//! Word lists: codes and texts of the world, translated into words of the vocabulary.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::File;
use super::condition::Mark;
use super::verify;

#[derive(Default)]
pub struct Words {
    lists: BTreeMap<String, List>,
}

struct List {
    fact: &'static str,
    default: Option<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    word: &'static str,
    codes: Vec<String>,
    text: Option<Regex>,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "about")]
    _about: String,
    fact: String,
    default: Option<String>,
    word: Vec<WrittenRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    word: String,
    #[serde(default)]
    code: Vec<String>,
    text: Option<String>,
    mark: Mark,
    #[serde(rename = "source")]
    _source: String,
}

/// A pattern's compiled size is bounded, so that a user's list cannot cost more than a run.
const PATTERN: usize = 1 << 20;

impl Words {
    pub(super) fn add(&mut self, list: &str, file: &File) -> Result<(), String> {
        let written: Written = file.parse()?;
        let fact = verify::fact(&written.fact, file)?;
        let mut rows = Vec::new();
        for row in &written.word {
            if row.code.is_empty() && row.text.is_none() {
                return Err(format!(
                    "{}: the word `{}` has neither `code` nor `text`; give it one",
                    file.place(&row.word),
                    row.word
                ));
            }
            let text = match &row.text {
                None => None,
                Some(pattern) => Some(RegexBuilder::new(pattern).size_limit(PATTERN).build().map_err(|error| {
                    format!("{}: the pattern of `{}` is no regular expression: {error}", file.place(pattern), row.word)
                })?),
            };
            rows.push(Row {
                word: verify::word(fact, &row.word, file)?,
                codes: row.code.clone(),
                text,
                mark: row.mark,
            });
        }
        let default = written.default.as_deref().map(|word| verify::word(fact, word, file)).transpose()?;
        self.lists.insert(list.to_owned(), List { fact: fact.name, default, rows });
        Ok(())
    }

    /// The word for codes and a text, and how well the row is known. The first row that fits is taken.
    pub fn translate(&self, list: &str, codes: &[&str], text: &str) -> Option<(&'static str, Mark)> {
        let list = self.lists.get(list)?;
        let fits = |row: &Row| {
            (row.codes.is_empty() || codes.iter().any(|code| row.codes.iter().any(|known| known == code)))
                && row.text.as_ref().is_none_or(|pattern| pattern.is_match(text))
        };
        list.rows
            .iter()
            .find(|row| fits(row))
            .map(|row| (row.word, row.mark))
            .or_else(|| list.default.map(|word| (word, Mark::Unknown)))
    }

    /// The fact that a list speaks of.
    pub fn fact(&self, list: &str) -> Option<&'static str> {
        self.lists.get(list).map(|list| list.fact)
    }
}
