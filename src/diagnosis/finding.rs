//! Which causes fire, for which subject, and which checks they explain.

use super::Judged;
use crate::catalogue::{Catalogue, Cause, Standing, refines};
use crate::fact::{Facts, Row};
use crate::stage::Stage;
use crate::terms::{Severity, Status};
use crate::verb::{NAMESERVERS, REPORTED, own_host};

/// A cause that holds for a subject and explains some of its checks.
pub(super) struct Finding<'a> {
    pub(super) cause: &'a Cause,
    pub(super) row: &'a Row,
    pub(super) explains: Vec<String>,
    pub(super) severity: Severity,
}

/// A cause that holds for a check which waits for another one.
pub(super) struct Consequence<'a> {
    pub(super) cause: &'a Cause,
    pub(super) blocked_by: Vec<String>,
}

pub(super) struct Found<'a> {
    pub(super) findings: Vec<Finding<'a>>,
    pub(super) consequences: Vec<Consequence<'a>>,
}

pub(super) fn all<'a>(facts: &'a Facts, catalogue: &'a Catalogue, checks: &[Judged<'_>]) -> Found<'a> {
    let mut matches: Vec<(&Cause, &Row, &Judged<'_>)> = Vec::new();
    for cause in &catalogue.causes {
        for row in facts.rows.iter().filter(|row| cause.text.when.holds(row)) {
            matches.extend(
                checks.iter().filter(|judged| speaks_of(cause, row, judged)).map(|judged| (cause, row, judged)),
            );
        }
    }
    // The specific row silences the general one, check by check.
    let silenced = |cause: &Cause, check: &str| {
        matches.iter().any(|(other, _, judged)| judged.check.id == check && refines(catalogue, other, &cause.id))
    };
    let mut found = Found { findings: Vec::new(), consequences: Vec::new() };
    for (cause, row, judged) in &matches {
        if silenced(cause, &judged.check.id) {
            continue;
        }
        let severity = match judged.status {
            Status::Fail => Severity::Fail,
            Status::Warn => Severity::Warn,
            _ => {
                found.consequences.push(Consequence { cause, blocked_by: judged.blocked_by.clone() });
                continue;
            }
        };
        let known =
            found.findings.iter_mut().find(|finding| finding.cause.id == cause.id && std::ptr::eq(finding.row, *row));
        match known {
            Some(finding) => {
                finding.explains.push(judged.check.id.clone());
                finding.severity = finding.severity.max(severity);
            }
            None => found.findings.push(Finding { cause, row, explains: vec![judged.check.id.clone()], severity }),
        }
    }
    found
}

/// Whether a cause that holds for this row would explain this check, and the check needs explaining.
fn speaks_of(cause: &Cause, row: &Row, judged: &Judged<'_>) -> bool {
    let failing = match judged.status {
        Status::Fail | Status::Warn => true,
        Status::Skip => {
            !judged.blocked_by.is_empty() && matches!(judged.standing, Some(Standing::Fail | Standing::Warn))
        }
        _ => false,
    };
    let check = judged.check;
    if row.subject == REPORTED {
        // A reported text says in the words of any stage what was wrong; what only the whole run shows explains no text.
        let of_text = cause.text.when.facts().any(|fact| !fact.starts_with("run."));
        return failing && check.target == REPORTED && of_text;
    }
    if !failing || check.stage != cause.stage {
        return false;
    }
    if row.nameserver {
        let speaks = match row.word("nameserver.order") {
            // That all nameservers say the same waits for Entra's and the server's names, and for no other.
            Some("decides") if own_host(&row.subject).is_err() => check.target == row.subject,
            Some("decides") => check.target == row.subject || check.target == NAMESERVERS,
            Some("awaited") => check.target == row.subject || check.target == NAMESERVERS,
            _ => check.target == NAMESERVERS,
        };
        return speaks && check.stage == Stage::Dns;
    }
    let named = cause.text.check.as_ref().is_none_or(|name| check.id == format!("{}.{name}", check.stage.name()));
    check.target == row.subject && named
}
