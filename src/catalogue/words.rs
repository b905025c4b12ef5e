//! The files of `words/`: parsed, with every word and pattern verified.

use serde::Deserialize;

use super::{File, verify};
use crate::words::{List, Mark, Pattern, Row};

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

pub(super) fn list(file: &File) -> Result<List, String> {
    let written: Written = file.parse()?;
    let fact = verify::fact(&written.fact, file)?;
    let mut rows = Vec::new();
    for row in &written.word {
        if row.code.is_empty() && row.text.is_none() {
            let place = file.place(&row.word);
            return Err(format!("{place}: the word `{}` has neither `code` nor `text`; give it one", row.word));
        }
        let text = row.text.as_deref().map(Pattern::new);
        // The embedded lists are compiled by a test; a user's are proven now.
        if let Some(pattern) = text.as_ref().filter(|_| !file.embedded) {
            pattern.verify().map_err(|error| {
                let place = file.place(row.text.as_deref().unwrap_or_default());
                format!("{place}: the pattern of `{}` is no regular expression: {error}", row.word)
            })?;
        }
        rows.push(Row { word: verify::word(fact, &row.word, file)?, codes: row.code.clone(), text, mark: row.mark });
    }
    let default = written.default.as_deref().map(|word| verify::word(fact, word, file)).transpose()?;
    Ok(List { default, rows })
}
