//! Telling: the report as text or JSON, the catalogue as lists. No page computes a verdict of its own.

mod catalogue;
pub mod live;
mod plan;
mod text;
mod wrap;

pub use catalogue::{explain, list};
pub use plan::{plan, plan_json};
pub use text::text;
pub use wrap::{plain_typography, visible};

use crate::report::Report;

/// How much of the evidence is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The verdict only.
    Quiet,
    Plain,
    /// Passed checks' evidence too.
    Verbose,
}

/// Exactly one JSON document.
pub fn json(report: &Report) -> String {
    document(report)
}

fn document(value: &impl serde::Serialize) -> String {
    let plain = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut text = String::with_capacity(plain.len() + 1);
    for letter in plain.chars() {
        // JSON escapes ASCII controls itself; the others are valid in it and would still move a terminal.
        match letter {
            '\n' => text.push(letter),
            letter if crate::rules::moves_terminal(letter) => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => text.push(letter),
        }
    }
    text.push('\n');
    text
}
