//! Findings in prose: merged over their subjects, with values filled in and commands made safe to paste.

use super::controls::{self, Ruling};
use super::finding::Finding;
use super::{Command, Diagnosis, Judged, Remedy};
use crate::catalogue::{Catalogue, CommandTemplate, Remedy as RemedyText};
use crate::fact::{Facts, Row};
use crate::terms::{Certainty, Control, Language, Severity, Status};
use crate::verb::REPORTED;

/// A cause that is written for what a run meets itself, told of what somebody else met.
const OF_OTHERS: &str = "This was reported, not met in this run: “this machine”, “this program” and “the token” are those of whoever got the error.";

pub(super) fn all(
    facts: &Facts,
    catalogue: &Catalogue,
    checks: &[Judged<'_>],
    findings: &[Finding<'_>],
) -> Vec<Diagnosis> {
    let mut groups: Vec<(Vec<&Finding<'_>>, Ruling)> = Vec::new();
    for finding in findings {
        let ruling = controls::ruling(catalogue, finding);
        let known = groups.iter_mut().find(|(group, known)| {
            group[0].cause.id == finding.cause.id
                && known.controls == ruling.controls
                && known.certainty == ruling.certainty
        });
        match known {
            Some((group, known)) => {
                group.push(finding);
                known.ruled_out.retain(|control| ruling.ruled_out.contains(control));
            }
            None => groups.push((vec![finding], ruling)),
        }
    }
    // One thing to change is told once, by the worst that it does: that comes first, and commands name it.
    for (group, _) in &mut groups {
        group.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }
    let mut diagnoses: Vec<Diagnosis> = groups.into_iter().map(|(group, ruling)| diagnosis(&group, ruling)).collect();
    let explained: Vec<String> = diagnoses.iter().flat_map(|diagnosis| diagnosis.explains.clone()).collect();
    for judged in checks.iter().filter(|judged| matches!(judged.status, Status::Fail | Status::Warn)) {
        if !explained.contains(&judged.check.id) {
            diagnoses.push(unexplained(facts, catalogue, judged));
        }
    }
    diagnoses
}

fn diagnosis(group: &[&Finding<'_>], ruling: Ruling) -> Diagnosis {
    let cause = group[0].cause;
    let text = &cause.text;
    let merged = |name: &str| {
        let mut values: Vec<&str> = Vec::new();
        for value in group.iter().filter_map(|finding| finding.row.value(name)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        (!values.is_empty()).then(|| values.join(" and "))
    };
    let first = |name: &str| group.iter().find_map(|finding| finding.row.value(name)).map(str::to_owned);
    let prose = |line: &str| crate::prose::filled(line.trim(), merged);
    let mut because: Vec<String> = Vec::new();
    // Who reads it must know what was seen and what was only told.
    let reported = group[0].row.subject == REPORTED;
    because.extend(first("reported").filter(|_| reported).map(|text| format!("Reported: {text}")));
    for finding in group {
        let value = |name: &str| finding.row.value(name).map(str::to_owned);
        let lines = text.because.iter().filter_map(|line| crate::prose::whole(line.trim(), value));
        because.extend(lines);
        // The error's own words are never thrown away.
        if let Some(error) = finding.row.value("error")
            && !because.iter().any(|line| line.contains(error))
        {
            because.push(format!("the error itself: {error}"));
        }
    }
    let mut seen = std::collections::HashSet::new();
    because.retain(|line| seen.insert(line.clone()));
    let mut explains: Vec<String> = group.iter().flat_map(|finding| finding.explains.clone()).collect();
    explains.dedup();
    let mut seen = std::collections::HashSet::new();
    explains.retain(|id| seen.insert(id.clone()));
    let test = controls::next(cause, &ruling.controls);
    let next_run = test.and_then(|next| next.run.as_deref()).map(|run| command(run.trim(), Language::Shell, &first));
    let next = test.map(|next| match &next_run {
        Some(run) => format!("{}: {run}", prose(&next.text).trim_end_matches('.')),
        None => prose(&next.text),
    });
    let remarks = text.remark.iter().filter(|remark| group.iter().any(|finding| remark.when.holds(finding.row)));
    let told = (reported && text.check.as_deref() != Some(REPORTED)).then(|| OF_OTHERS.to_owned());
    let remedies =
        ruling.controls.iter().flat_map(|control| text.remedy.iter().filter(|remedy| remedy.control == *control));
    Diagnosis {
        cause: cause.id.clone(),
        severity: group[0].severity,
        certainty: ruling.certainty,
        summary: if reported { format!("Reported: {}", prose(&text.title)) } else { prose(&text.title) },
        because,
        means: prose(&text.means),
        explains,
        next,
        next_run,
        remarks: remarks.map(|remark| prose(&remark.text)).chain(told).collect(),
        remedies: remedies.map(|remedy| filled(remedy, &prose, &first)).collect(),
        verify: prose(&text.verify),
        sources: text.sources.clone(),
        controls: ruling.controls,
        ruled_out: ruling.ruled_out,
    }
}

fn filled(remedy: &RemedyText, prose: &impl Fn(&str) -> String, first: &impl Fn(&str) -> Option<String>) -> Remedy {
    let commands = remedy.commands.iter().map(|template: &CommandTemplate| Command {
        run: command(template.run.trim(), template.language, first),
        kind: template.kind,
        language: template.language,
    });
    Remedy {
        control: remedy.control,
        owner: remedy.owner.clone(),
        title: prose(&remedy.title),
        steps: remedy.steps.iter().map(|step| prose(step)).collect(),
        commands: commands.collect(),
        docs: remedy.docs.clone(),
    }
}

/// A command with values that are safe in its language; whatever else stays a placeholder.
fn command(template: &str, language: Language, value: &impl Fn(&str) -> Option<String>) -> String {
    let safe = |name: &str| value(name).filter(|value| is_safe(name, value, language));
    crate::prose::command(template, |name| match language {
        // In SQL a value is always a literal.
        Language::Sql => safe(name).map(|value| crate::prose::quoting::sql_literal(&value)),
        _ => safe(name),
    })
}

/// Azure's names have letters, digits and `-_.()`; a role may hold more, for in SQL it is quoted.
fn is_safe(name: &str, value: &str, language: Language) -> bool {
    let azure = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    let role = |letter: char| letter.is_alphanumeric() || "-_.@#+' ".contains(letter);
    let starts = value.chars().next().is_some_and(|letter| letter != '-');
    let fits = match (name, language) {
        ("user" | "database" | "principal" | "role", Language::Sql) => value.chars().all(role),
        // Templates set these in single quotes.
        ("directory_name" | "asked_name", Language::Sql) => value.chars().all(role),
        ("directory_name" | "asked_name", _) => value.chars().all(|letter| role(letter) && letter != '\''),
        ("resource", _) => value.chars().all(|letter| azure(letter) || letter == '/'),
        _ => value.chars().all(azure),
    };
    starts && fits && value.len() <= 128
}

/// What no cause explains: the raw error, and every control of the stage that is not excluded.
fn unexplained(facts: &Facts, catalogue: &Catalogue, judged: &Judged<'_>) -> Diagnosis {
    let row = facts.row(&judged.check.target);
    let (controls, ruled_out) = controls::open(catalogue, judged.check.stage.name(), row);
    let mut because = vec![format!("{}: {}", judged.title, judged.observed)];
    let raw = |row: &Row, name: &str| row.value(name).map(str::to_owned);
    because.extend(
        row.into_iter().flat_map(|row| ["error", "message", "quote"].into_iter().filter_map(|name| raw(row, name))),
    );
    because.dedup();
    let remedy = |control: &Control| {
        let known = catalogue.controls.iter().find(|row| row.name == *control);
        Remedy {
            control: *control,
            owner: known.map_or_else(|| "machine".to_owned(), |row| row.owner.clone()),
            title: format!("Look at the {}", known.map_or(control.name(), |row| row.says.as_str())),
            steps: known.map(|row| row.look.clone()).unwrap_or_default(),
            commands: Vec::new(),
            docs: Vec::new(),
        }
    };
    Diagnosis {
        cause: "unexplained".to_owned(),
        severity: if judged.status == Status::Fail { Severity::Fail } else { Severity::Warn },
        certainty: Certainty::Suspected,
        summary: format!("Not so, and no known cause explains it: {}", judged.title),
        because,
        means: "The catalogue has no row for this combination. The observation stands; the cause is open.".to_owned(),
        explains: vec![judged.check.id.clone()],
        next: (controls.len() > 1)
            .then(|| "The evidence (-v, or --format json) shows the raw failure and its stage.".to_owned()),
        next_run: None,
        remarks: Vec::new(),
        remedies: controls.iter().map(remedy).collect(),
        verify: format!("entra-preflight --only {}", judged.check.id),
        sources: Vec::new(),
        controls,
        ruled_out,
    }
}
