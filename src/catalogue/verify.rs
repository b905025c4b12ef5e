//! The locks of the catalogue: a closed vocabulary, known ids, and no row that hides inside another unsaid.

use std::collections::BTreeMap;

use super::{Catalogue, Cause, File, When};
use crate::fact::vocabulary::{self, Fact};
use crate::stage::Stage;
use crate::terms::{Control, OWNERS};
use crate::verb::{self, Verb};

pub(super) fn stage(name: &str, file: &File) -> Result<Stage, String> {
    Stage::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        format!("{}: `{name}` is not a stage; stages are {}", file.origin, known.join(", "))
    })
}

pub(super) fn fact(name: &str, file: &File) -> Result<&'static Fact, String> {
    vocabulary::fact(name).ok_or_else(|| {
        let stem = name.split('.').next().unwrap_or(name);
        let near: Vec<&str> =
            vocabulary::facts().map(|fact| fact.name).filter(|known| known.starts_with(stem)).collect();
        let choices = if near.is_empty() { "see `entra-preflight list --facts`".to_owned() } else { near.join(", ") };
        format!("{}: `{name}` is not a fact; the choices are: {choices}", file.place(name))
    })
}

pub(super) fn word(fact: &'static Fact, name: &str, file: &File) -> Result<&'static str, String> {
    fact.words.iter().find(|word| **word == name).copied().ok_or_else(|| {
        format!(
            "{}: `{name}` is not a word of {}; the choices are: {}",
            file.place(name),
            fact.name,
            fact.words.join(", ")
        )
    })
}

pub(super) fn verb(name: &str, file: &File) -> Result<Verb, String> {
    Verb::named(name).ok_or_else(|| {
        let known: Vec<&str> = Verb::ALL.iter().map(|verb| verb.name()).collect();
        format!("{}: `{name}` is not a probe; the choices are: {}", file.place(name), known.join(", "))
    })
}

fn when(condition: &When, file: &File) -> Result<(), String> {
    for (name, words) in condition.entries() {
        let fact = fact(name, file)?;
        if words.is_empty() {
            return Err(format!("{}: `{name}` has no words; a condition names at least one", file.place(name)));
        }
        for name in words {
            word(fact, name, file)?;
        }
    }
    Ok(())
}

fn owner(name: &str, file: &File) -> Result<(), String> {
    if OWNERS.contains(&name) {
        return Ok(());
    }
    Err(format!("{}: `{name}` owns nothing; the choices are: {}", file.place(name), OWNERS.join(", ")))
}

fn prose(text: &str, file: &File) -> Result<(), String> {
    for name in crate::prose::names(text) {
        if !vocabulary::VALUES.iter().any(|(known, _)| *known == name) {
            let known: Vec<&str> = vocabulary::VALUES.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "{}: `{{{name}}}` is not a value; the choices are: {}",
                file.place(name),
                known.join(", ")
            ));
        }
    }
    Ok(())
}

/// Verifies what no single file can know.
pub(super) fn whole(catalogue: &Catalogue, files: &BTreeMap<String, File>) -> Result<(), String> {
    let file = |origin: &str| files.values().find(|file| file.origin == origin).expect("every origin is of a file");
    checks(catalogue, &file)?;
    for cause in &catalogue.causes {
        cause_alone(cause, catalogue, file(&cause.origin))?;
    }
    overlaps(catalogue, &file)?;
    let policy = |name: &str| files.get(name).ok_or_else(|| format!("checks/{name} is missing"));
    for row in &catalogue.controls {
        row.out.iter().try_for_each(|out| when(out, policy("controls.toml")?))?;
        owner(&row.owner, policy("controls.toml")?)?;
    }
    if let Some(missing) =
        Control::ALL.iter().find(|control| catalogue.controls.iter().all(|row| row.name != **control))
    {
        return Err(format!("{}: the control `{}` has no row", policy("controls.toml")?.origin, missing.name()));
    }
    for row in &catalogue.requirements {
        when(&row.yes, policy("requirements.toml")?)?;
        when(&row.speaks, policy("requirements.toml")?)?;
    }
    for remark in &catalogue.sign_in.remark {
        when(&remark.when, policy("sign-in.toml")?)?;
    }
    for statement in &catalogue.statements {
        when(&statement.when, policy("vantage.toml")?)?;
        prose(&statement.text, policy("vantage.toml")?)?;
    }
    Ok(())
}

fn checks<'a>(catalogue: &Catalogue, file: &impl Fn(&str) -> &'a File) -> Result<(), String> {
    for check in &catalogue.checks {
        let file = file(&check.origin);
        let decides = fact(&check.result, file)?;
        for name in [&check.pass, &check.warn, &check.unknown, &check.skip].into_iter().flatten() {
            word(decides, name, file)?;
        }
        prose(&check.title, file)?;
        if !verb::SUBJECTS.contains(&check.target.as_str()) {
            verb::own_host(&check.target).map_err(|rule| format!("{}: {rule}", file.place(&check.target)))?;
        }
        for id in &check.needs {
            if catalogue.check(id).is_none() {
                return Err(format!("{}: it needs `{id}`, which is not a check", file.place(id)));
            }
        }
        for id in &check.requirement {
            if !catalogue.requirements.iter().any(|row| row.id == *id) {
                let known: Vec<&str> = catalogue.requirements.iter().map(|row| row.id.as_str()).collect();
                return Err(format!(
                    "{}: `{id}` is not a requirement; the choices are: {}",
                    file.place(id),
                    known.join(", ")
                ));
            }
        }
        // A cycle of needs would make every check of it wait for itself.
        let mut seen = vec![check.id.as_str()];
        let mut at = 0;
        while at < seen.len() {
            for need in catalogue.check(seen[at]).map(|check| check.needs.as_slice()).unwrap_or_default() {
                if *need == check.id {
                    return Err(format!("{}: it needs itself through `{}`", file.place(need), seen[at]));
                }
                if !seen.contains(&need.as_str()) {
                    seen.push(need);
                }
            }
            at += 1;
        }
    }
    Ok(())
}

fn cause_alone(cause: &Cause, catalogue: &Catalogue, file: &File) -> Result<(), String> {
    let text = &cause.text;
    if text.when.is_empty() {
        return Err(format!("{}: `when` is empty; a cause needs a condition", file.key("when")));
    }
    when(&text.when, file)?;
    text.control.iter().filter_map(|candidate| candidate.out.as_ref()).try_for_each(|out| when(out, file))?;
    text.remark.iter().try_for_each(|remark| when(&remark.when, file))?;
    cause.prose().try_for_each(|line| prose(line, file))?;
    if text.control.is_empty() {
        return Err(format!("{}: it names no control; what could be changed?", file.key("control")));
    }
    for candidate in &text.control {
        if !text.remedy.iter().any(|remedy| remedy.control == candidate.name) {
            let name = candidate.name.name();
            return Err(format!("{}: the control `{name}` has no remedy; add a [[remedy]] for it", file.place(name)));
        }
    }
    for remedy in &text.remedy {
        owner(&remedy.owner, file)?;
    }
    if text.control.len() > 1 && text.next.is_empty() {
        return Err(format!("{}: several controls, and no `next` that would tell them apart", file.key("control")));
    }
    for next in &text.next {
        if let Some(stray) =
            next.between.iter().find(|control| text.control.iter().all(|known| known.name != **control))
        {
            let (place, name) = (file.key("next"), stray.name());
            return Err(format!("{place}: `next` is between `{name}`, which is not among its controls"));
        }
    }
    for id in &text.refines {
        if catalogue.cause(id).is_none() {
            return Err(format!("{}: it refines `{id}`, which is not a cause", file.place(id)));
        }
    }
    if let Some(name) = &text.check {
        let id = format!("{}.{name}", cause.stage.name());
        if catalogue.check(&id).is_none() {
            return Err(format!("{}: it explains `{id}`, which is not a check", file.place(name)));
        }
    }
    Ok(())
}

/// Two rows of a stage where one always fires with the other: the specific one must say so.
fn overlaps<'a>(catalogue: &Catalogue, file: &impl Fn(&str) -> &'a File) -> Result<(), String> {
    for special in &catalogue.causes {
        for general in catalogue.causes.iter().filter(|cause| cause.id != special.id && cause.stage == special.stage) {
            if special.text.check != general.text.check || !special.text.when.implies(&general.text.when) {
                continue;
            }
            if general.text.when.implies(&special.text.when) {
                let place = file(&special.origin).key("when");
                return Err(format!("{place}: `when` is the same as that of {}", general.id));
            }
            if !refines(catalogue, special, &general.id) {
                let place = file(&special.origin).key("when");
                return Err(format!("{place}: `when` contains that of {0}; say `refines = [\"{0}\"]`", general.id));
            }
        }
    }
    Ok(())
}

/// Whether `special` refines `general`, directly or through others.
pub(crate) fn refines(catalogue: &Catalogue, special: &Cause, general: &str) -> bool {
    let mut seen: Vec<&str> = special.text.refines.iter().map(String::as_str).collect();
    let mut at = 0;
    while at < seen.len() {
        if seen[at] == general {
            return true;
        }
        for next in catalogue.cause(seen[at]).map(|cause| cause.text.refines.as_slice()).unwrap_or_default() {
            if !seen.contains(&next.as_str()) {
                seen.push(next);
            }
        }
        at += 1;
    }
    false
}
