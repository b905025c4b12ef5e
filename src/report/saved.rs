//! A saved report: its stamp and its evidence; whatever else it holds is judged anew.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::{SCHEMA, Tool};
use crate::evidence::{Observation, Stamp};

/// A report of a long run with large answers is a tenth of this.
const FILE: u64 = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct Saved {
    schema: String,
    tool: Tool,
    run_id: String,
    started_at: String,
    duration_ms: u64,
    evidence: Vec<Observation>,
}

/// Reads a report; `-` is standard input.
///
/// # Errors
/// A sentence that names the file and what is wrong with it.
pub fn saved(path: &Path) -> Result<(Stamp, Vec<Observation>), String> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(FILE + 1).read_to_end(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(|error| format!("{shown}: {error}"))?;
        file.take(FILE + 1).read_to_end(&mut text)
    };
    read.map_err(|error| format!("{shown}: {error}"))?;
    if text.len() as u64 > FILE {
        return Err(format!("{shown}: larger than {FILE} bytes; a report is not"));
    }
    let saved: Saved = serde_json::from_slice(&text).map_err(|error| {
        format!("{shown} is not a report of this program ({error}); save one with --format json={}", "report.json")
    })?;
    if saved.schema != SCHEMA {
        return Err(format!("{shown} has the schema `{}`; this program reads `{SCHEMA}`", saved.schema));
    }
    let stamp =
        Stamp { tool: saved.tool, run_id: saved.run_id, started_at: saved.started_at, duration_ms: saved.duration_ms };
    Ok((stamp, saved.evidence))
}

/// The JSON Schema of the report.
pub fn schema() -> String {
    let schema = schemars::schema_for!(super::Report);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
