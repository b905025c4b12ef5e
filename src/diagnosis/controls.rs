//! What could be changed: a cause's candidates less those that the facts exclude, and how sure that makes us.

use super::finding::Finding;
use crate::catalogue::{Catalogue, Cause, Next};
use crate::fact::Row;
use crate::terms::{Certainty, Control};
use crate::words::Mark;

/// Words of attempts that did not agree: nothing is certain on them.
const DISAGREEING: [&str; 1] = ["mixed"];

pub(super) struct Ruling {
    pub(super) controls: Vec<Control>,
    pub(super) ruled_out: Vec<Control>,
    pub(super) certainty: Certainty,
}

pub(super) fn ruling(catalogue: &Catalogue, finding: &Finding<'_>) -> Ruling {
    let candidates = &finding.cause.text.control;
    let out = |when: &Option<crate::catalogue::When>| when.as_ref().is_some_and(|when| when.holds(finding.row));
    let mut controls: Vec<Control> = candidates.iter().filter(|one| !out(&one.out)).map(|one| one.name).collect();
    let mut ruled_out: Vec<Control> = candidates.iter().filter(|one| out(&one.out)).map(|one| one.name).collect();
    let exhausted = controls.is_empty();
    if exhausted {
        // Everything that the row knows is excluded: then the row is wrong about something, and says so by its certainty.
        controls = std::mem::take(&mut ruled_out);
    }
    for row in &catalogue.controls {
        let listed = controls.contains(&row.name) || ruled_out.contains(&row.name);
        if !listed && row.out.iter().any(|when| when.holds(finding.row)) {
            ruled_out.push(row.name);
        }
    }
    ruled_out.sort_by_key(|control| Control::ALL.iter().position(|known| known == control));
    let certainty = if exhausted { Certainty::Suspected } else { certainty(finding, &controls) };
    Ruling { controls, ruled_out, certainty }
}

/// A diagnosis is never more certain than the weakest mark that it stands on.
fn certainty(finding: &Finding<'_>, controls: &[Control]) -> Certainty {
    let text = &finding.cause.text;
    let words = text.when.facts().filter_map(|fact| finding.row.mark(fact));
    let weakest = words.chain([text.mark]).min().unwrap_or(Mark::Unknown);
    let disagree = text.when.facts().filter_map(|fact| finding.row.word(fact)).any(|word| DISAGREEING.contains(&word));
    match controls.len() {
        _ if weakest < Mark::Sourced || disagree => Certainty::Suspected,
        1 => Certainty::Certain,
        _ => Certainty::Narrowed,
    }
}

/// The test that separates the remaining controls: the row that speaks of most of them, and of none that is gone.
pub(super) fn next<'a>(cause: &'a Cause, controls: &[Control]) -> Option<&'a Next> {
    if controls.len() < 2 {
        return None;
    }
    let remains = |next: &&Next| next.between.iter().all(|control| controls.contains(control));
    // The most telling test is written first: of equals, the first.
    let fits = cause.text.next.iter().filter(remains).rev().max_by_key(|next| {
        let first = next.between.contains(&controls[0]);
        (first, next.between.len())
    });
    fits.or_else(|| cause.text.next.iter().find(|next| next.between.iter().any(|control| controls.contains(control))))
}

/// The controls of a stage that nothing excludes, for a failure that no cause explains.
pub(super) fn open(catalogue: &Catalogue, stage: &str, row: Option<&Row>) -> (Vec<Control>, Vec<Control>) {
    let of_stage = catalogue.controls.iter().filter(|control| control.stages.iter().any(|name| name == stage));
    let (out, open): (Vec<_>, Vec<_>) =
        of_stage.partition(|control| row.is_some_and(|row| control.out.iter().any(|when| when.holds(row))));
    let names = |rows: Vec<&crate::catalogue::ControlRow>| rows.iter().map(|row| row.name).collect::<Vec<_>>();
    let open = names(open);
    if open.is_empty() { (vec![Control::Host], Vec::new()) } else { (open, names(out)) }
}
