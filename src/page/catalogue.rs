//! The catalogue for people and for scripts: `list` and `explain`.

use std::fmt::Write;

use owo_colors::OwoColorize;
use serde_json::json;

use super::wrap::wrapped;
use crate::catalogue::{Catalogue, Cause, Check};
use crate::fact::vocabulary::{VALUES, facts};
use crate::terms::CommandKind;
use crate::words::Mark;

const WIDTH: usize = 100;

/// Every check and every cause, or the vocabulary.
pub fn list(catalogue: &Catalogue, facts: bool, as_json: bool) -> String {
    match (facts, as_json) {
        (true, true) => pretty(&vocabulary_json()),
        (true, false) => vocabulary_text(),
        (false, true) => pretty(&catalogue_json(catalogue)),
        (false, false) => catalogue_text(catalogue),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn vocabulary_json() -> serde_json::Value {
    let facts: Vec<_> =
        facts().map(|fact| json!({"fact": fact.name, "says": fact.says, "words": fact.words})).collect();
    let values: Vec<_> = VALUES.iter().map(|(name, says)| json!({"value": name, "says": says})).collect();
    json!({"facts": facts, "values": values})
}

fn vocabulary_text() -> String {
    let mut text = String::from("Facts, each with its words\n");
    for fact in facts() {
        let _ = writeln!(text, "\n  {}", fact.name.bold());
        for line in wrapped(fact.says, WIDTH - 4) {
            let _ = writeln!(text, "    {line}");
        }
        for line in wrapped(&fact.words.join(" "), WIDTH - 6) {
            let _ = writeln!(text, "      {}", line.cyan());
        }
    }
    text.push_str("\nValues that prose may quote\n\n");
    for (name, says) in VALUES {
        let _ = writeln!(text, "  {{{name}}}  {says}");
    }
    text
}

fn catalogue_json(catalogue: &Catalogue) -> serde_json::Value {
    let checks: Vec<_> = catalogue
        .chosen(&[], &[])
        .into_iter()
        .map(|check| json!({"id": check.id, "title": check.title, "requirement": check.requirement, "needs": check.needs, "probe": check.probe.name(), "target": check.target}))
        .collect();
    let causes: Vec<_> = catalogue
        .causes
        .iter()
        .map(|cause| json!({"id": cause.id, "title": cause.text.title.trim(), "controls": controls(cause), "refines": cause.text.refines}))
        .collect();
    json!({"checks": checks, "causes": causes})
}

/// A title before any run: what it will speak of.
fn titled(check: &Check) -> String {
    let whom = match check.target.as_str() {
        "login" => "the login host",
        "graph" => "the host of Microsoft Graph",
        "server" => "the server",
        other => other,
    };
    crate::prose::filled(&check.title, |name| (name == "host").then(|| whom.to_owned()))
}

fn controls(cause: &Cause) -> Vec<&'static str> {
    cause.text.control.iter().map(|candidate| candidate.name.name()).collect()
}

fn catalogue_text(catalogue: &Catalogue) -> String {
    let mut text = String::from("Checks\n\n");
    for check in catalogue.chosen(&[], &[]) {
        let requirement =
            if check.requirement.is_empty() { String::new() } else { format!("  [{}]", check.requirement.join(", ")) };
        let _ = writeln!(text, "  {:22}{}{}", check.id.bold(), titled(check), requirement.dimmed());
    }
    text.push_str("\nCauses, with what could be changed\n\n");
    for cause in &catalogue.causes {
        let _ = writeln!(
            text,
            "  {:32}{}  {}",
            cause.id.bold(),
            cause.text.title.trim(),
            format!("[{}]", controls(cause).join(", ")).dimmed()
        );
    }
    text
}

/// Everything known about a check or a cause.
///
/// # Errors
/// A sentence that names the nearest ids.
pub fn explain(catalogue: &Catalogue, id: &str) -> Result<String, String> {
    if let Some(check) = catalogue.check(id) {
        return Ok(explain_check(catalogue, check));
    }
    if let Some(cause) = catalogue.cause(id) {
        return Ok(explain_cause(cause));
    }
    if id == "unexplained" {
        return Ok("unexplained\n\n  A check failed and no cause of the catalogue fits what was seen. The diagnosis names the controls\n  \
                   of that stage that nothing rules out, and quotes the raw error.\n"
            .to_owned());
    }
    let ids = catalogue.checks.iter().map(|check| &check.id).chain(catalogue.causes.iter().map(|cause| &cause.id));
    let near = nearest(ids.map(String::as_str), id);
    let near = if near.is_empty() {
        "`entra-preflight list` names them all".to_owned()
    } else {
        format!("near it are: {}", near.join(", "))
    };
    Err(format!("`{}` is neither a check nor a cause; {near}", crate::rules::clip(id)))
}

/// The ids that somebody may have meant, the likeliest first: a few letters away, or with the same last part.
fn nearest<'a>(ids: impl Iterator<Item = &'a str>, asked: &str) -> Vec<&'a str> {
    // Nobody mistypes more than this, and a distance takes the product of both lengths.
    let asked: String = asked.chars().take(80).collect::<String>().to_lowercase();
    let part = asked.rsplit(['.', '/']).next().filter(|part| part.len() > 2);
    let mut near: Vec<(usize, &str)> = ids
        .filter_map(|id| {
            let away = distance(&asked.replace('.', "/"), &id.replace('.', "/"));
            let alike = away <= asked.len().min(id.len()) / 3 || part.is_some_and(|part| id.contains(part));
            alike.then_some((away, id))
        })
        .collect();
    near.sort_by_key(|(away, _)| *away);
    near.into_iter().map(|(_, id)| id).take(5).collect()
}

/// Letters to insert, remove or replace until one text is the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = line + 1;
        for (place, known) in other.iter().enumerate() {
            let replaced = before + usize::from(letter != *known);
            before = row[place + 1];
            row[place + 1] = replaced.min(before + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

fn paragraph(text: &mut String, label: &str, prose: &str) {
    for (index, line) in wrapped(prose, WIDTH - 14).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let _ = writeln!(text, "  {label:12}{line}");
    }
}

fn explain_check(catalogue: &Catalogue, check: &Check) -> String {
    let mut text = format!("{}  {}\n\n", check.id.bold(), titled(check));
    paragraph(&mut text, "Why", &check.why);
    paragraph(
        &mut text,
        "Asks",
        &format!("{} of {}; decided by the fact {}", check.probe.name(), check.target, check.result),
    );
    paragraph(&mut text, "Passes on", &check.pass.join(", "));
    if !check.warn.is_empty() {
        paragraph(&mut text, "Warns on", &check.warn.join(", "));
    }
    if !check.needs.is_empty() {
        paragraph(&mut text, "Waits for", &check.needs.join(", "));
    }
    for row in catalogue.requirements.iter().filter(|row| check.requirement.contains(&row.id)) {
        paragraph(&mut text, "Required", &format!("{} ({})", row.text, row.id));
        paragraph(&mut text, "", &row.source);
    }
    let speaks = |cause: &&Cause| {
        cause.stage == check.stage
            && cause.text.check.as_ref().is_none_or(|name| check.id.ends_with(&format!(".{name}")))
    };
    let causes: Vec<&str> = catalogue.causes.iter().filter(speaks).map(|cause| cause.id.as_str()).collect();
    if !causes.is_empty() {
        paragraph(&mut text, "Causes", &causes.join(", "));
    }
    text
}

fn explain_cause(cause: &Cause) -> String {
    let it = &cause.text;
    let mut text = format!("{}  {}\n\n", cause.id.bold(), it.title.trim());
    for (index, line) in it.because.iter().enumerate() {
        paragraph(&mut text, if index == 0 { "Looks like" } else { "" }, line);
    }
    paragraph(&mut text, "Means", &it.means);
    let conditions: Vec<String> =
        it.when.entries().map(|(fact, words)| format!("{fact} is {}", words.join(" or "))).collect();
    paragraph(&mut text, "Fires when", &conditions.join("; "));
    paragraph(&mut text, "Change", &controls(cause).join(" or "));
    for candidate in &it.control {
        if let Some(out) = &candidate.out {
            let facts: Vec<String> =
                out.entries().map(|(fact, words)| format!("{fact} is {}", words.join(" or "))).collect();
            paragraph(&mut text, "", &format!("{} is ruled out when {}", candidate.name.name(), facts.join(" and ")));
        }
    }
    for next in &it.next {
        let between: Vec<&str> = next.between.iter().map(|control| control.name()).collect();
        let run = next.run.as_deref().map(|run| format!(" {run}")).unwrap_or_default();
        paragraph(&mut text, "Tell apart", &format!("{}: {}{run}", between.join(", "), next.text));
    }
    for remedy in &it.remedy {
        paragraph(&mut text, "Do", &format!("{} ({}, owner: {})", remedy.title, remedy.control.name(), remedy.owner));
        for step in &remedy.steps {
            paragraph(&mut text, "", &format!("- {step}"));
        }
        for command in &remedy.commands {
            let what = if command.kind == CommandKind::Change { "# CHANGES" } else { "# reads" };
            let _ = writeln!(text, "{:16}{}   {}", "", command.run.trim().cyan(), what.dimmed());
        }
        for source in &remedy.docs {
            paragraph(&mut text, "", source);
        }
    }
    for remark in &it.remark {
        paragraph(&mut text, "Note", &remark.text);
    }
    paragraph(&mut text, "Verify", &it.verify);
    let known = match it.mark {
        Mark::Sourced => "a source says so",
        Mark::Inferred => "inferred from sourced facts: suspected at most",
        Mark::Memory => "from general knowledge: suspected at most",
        Mark::Unknown => "not known from any source: suspected at most",
    };
    paragraph(&mut text, "Known", known);
    for source in &it.sources {
        paragraph(&mut text, "Source", source);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn finds_what_was_meant() {
        for (one, other, away) in [("", "abc", 3), ("kitten", "sitting", 3), ("dns", "dns", 0), ("ab", "ba", 2)] {
            assert_eq!(distance(one, other), away, "{one} {other}");
        }
        let ids = ["dns.login", "https/no-answer", "dns/nameserver-lies", "token/expired", "token/expired-secret"];
        for (asked, first) in [
            ("dns.logn", "dns.login"),
            ("https.no-answer", "https/no-answer"),
            ("HTTPS/no-anwser", "https/no-answer"),
            ("expired", "token/expired"),
            ("dns/nameserver-lie", "dns/nameserver-lies"),
        ] {
            assert_eq!(nearest(ids.into_iter(), asked).first(), Some(&first), "{asked}");
        }
        assert!(nearest(ids.into_iter(), "zzzzzzzz").is_empty());
        assert!(nearest(ids.into_iter(), "").is_empty());
    }
}
