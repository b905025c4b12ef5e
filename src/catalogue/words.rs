//! The files of `words/`: parsed, with every word and pattern verified.

use regex::RegexBuilder;
use serde::Deserialize;

use super::{File, verify};
use crate::words::{List, Mark, Row};

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

pub(super) fn list(file: &File) -> Result<List, String> {
    let written: Written = file.parse()?;
    let fact = verify::fact(&written.fact, file)?;
    let mut rows = Vec::new();
    for row in &written.word {
        if row.code.is_empty() && row.text.is_none() {
            let place = file.place(&row.word);
            return Err(format!("{place}: the word `{}` has neither `code` nor `text`; give it one", row.word));
        }
        let compiled = row.text.as_ref().map(|pattern| {
            RegexBuilder::new(pattern).size_limit(PATTERN).build().map_err(|error| {
                format!("{}: the pattern of `{}` is no regular expression: {error}", file.place(pattern), row.word)
            })
        });
        rows.push(Row {
            word: verify::word(fact, &row.word, file)?,
            codes: row.code.clone(),
            text: compiled.transpose()?,
            mark: row.mark,
        });
    }
    let default = written.default.as_deref().map(|word| verify::word(fact, word, file)).transpose()?;
    Ok(List { default, rows })
}
