//! Telling: the report as text or JSON, the catalogue as lists. No page computes a verdict of its own.

mod catalogue;
pub mod live;
mod text;
mod wrap;

pub use catalogue::{explain, list};
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
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
