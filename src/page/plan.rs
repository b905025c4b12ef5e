//! The plan for people and for scripts: whom a run may contact, and for what.

use std::fmt::Write;

use owo_colors::OwoColorize;

use super::wrap::{visible, wrapped};
use crate::target::destination::Destination;

const SCHEMA: &str = "entra-preflight/plan/1";

pub fn plan(plan: &[Destination], width: usize) -> String {
    let mut text = String::from("A run with these options may contact, and nobody else:\n\n");
    for destination in plan {
        let mut way = String::new();
        if let Some(proxy) = &destination.through {
            let _ = write!(way, " through {proxy}");
        }
        if !destination.dialled.is_empty() {
            let _ = write!(way, " dialled at {}", destination.dialled.join(", "));
        }
        let only = destination.only.map(|only| format!(" (only {only})")).unwrap_or_default();
        let _ = writeln!(text, "  {:<10}  {}{}", destination.protocol, visible(&destination.to).bold(), visible(&way));
        for line in wrapped(&format!("{}{only}", destination.purpose), width.saturating_sub(14)) {
            let _ = writeln!(text, "              {line}");
        }
    }
    text
}

pub fn plan_json(plan: &[Destination]) -> String {
    super::document(&serde_json::json!({"schema": SCHEMA, "destinations": plan}))
}
