//! A check asks: its title is true when it passes, and one fact decides.

use serde::Deserialize;

use super::File;
use crate::stage::Stage;
use crate::verb::Verb;

#[derive(Clone, Debug)]
pub struct Check {
    pub id: String,
    pub stage: Stage,
    pub title: String,
    pub why: String,
    pub probe: Verb,
    pub target: String,
    /// Ids of Microsoft's requirements that it stands for.
    pub requirement: Vec<String>,
    /// Checks of whose failure this one's is a consequence.
    pub needs: Vec<String>,
    /// The fact that decides.
    pub result: String,
    pub pass: Vec<String>,
    pub warn: Vec<String>,
    pub unknown: Vec<String>,
    pub skip: Vec<String>,
    pub(super) origin: String,
}

/// What a word of the deciding fact means for the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pass,
    Warn,
    Fail,
    Unknown,
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    why: String,
    probe: String,
    target: String,
    #[serde(default)]
    requirement: OneOrMany,
    #[serde(default)]
    needs: Vec<String>,
    result: String,
    pass: Vec<String>,
    #[serde(default)]
    warn: Vec<String>,
    #[serde(default)]
    unknown: Vec<String>,
    #[serde(default)]
    skip: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl Check {
    pub(super) fn parse(stage: &str, name: &str, file: &File) -> Result<Check, String> {
        let written: Written = file.parse()?;
        let stage_of = super::verify::stage(stage, file)?;
        let requirement = match written.requirement {
            OneOrMany::One(id) => vec![id],
            OneOrMany::Many(ids) => ids,
        };
        Ok(Check {
            id: format!("{stage}.{name}"),
            stage: stage_of,
            title: written.title,
            why: written.why,
            probe: super::verify::verb(&written.probe, file)?,
            target: written.target,
            requirement,
            needs: written.needs,
            result: written.result,
            pass: written.pass,
            warn: written.warn,
            unknown: written.unknown,
            skip: written.skip,
            origin: file.origin.clone(),
        })
    }

    pub fn standing(&self, word: &str) -> Standing {
        let has = |words: &[String]| words.iter().any(|known| known == word);
        if has(&self.pass) {
            Standing::Pass
        } else if has(&self.warn) {
            Standing::Warn
        } else if has(&self.unknown) {
            Standing::Unknown
        } else if has(&self.skip) {
            Standing::Skip
        } else {
            Standing::Fail
        }
    }
}

impl super::Catalogue {
    /// The checks that `--only` and `--skip` choose, with the prerequisites of the chosen, in the order of a sign-in.
    pub fn chosen(&self, only: &[String], skip: &[String]) -> Vec<&Check> {
        let named = |patterns: &[String], id: &str| patterns.iter().any(|pattern| glob(pattern, id));
        let mut ids: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| (only.is_empty() || named(only, &check.id)) && !named(skip, &check.id))
            .map(|check| check.id.as_str())
            .collect();
        let mut at = 0;
        while at < ids.len() {
            for need in self.check(ids[at]).map(|check| check.needs.as_slice()).unwrap_or_default() {
                if !ids.contains(&need.as_str()) {
                    ids.push(need);
                }
            }
            at += 1;
        }
        let mut chosen: Vec<&Check> = self.checks.iter().filter(|check| ids.contains(&check.id.as_str())).collect();
        chosen.sort_by_key(|check| (check.stage, self.depth(check), place(&check.target), check.id.clone()));
        chosen
    }

    /// How many checks of its own stage must pass before this one can.
    fn depth(&self, check: &Check) -> usize {
        // What somebody else saw is told after what this run sees.
        if check.target == crate::verb::REPORTED {
            return usize::MAX / 2;
        }
        let of_stage = check.needs.iter().filter_map(|need| self.check(need)).filter(|need| need.stage == check.stage);
        of_stage.map(|need| self.depth(need) + 1).max().unwrap_or(0)
    }
}

fn place(target: &str) -> usize {
    crate::verb::SUBJECTS.iter().position(|known| *known == target).unwrap_or(usize::MAX)
}

/// `*` stands for any text, `?` for one character.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, tried)) => {
                    p = at + 1;
                    t = tried + 1;
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("https.*", "https.login", true),
            ("https.*", "dns.login", false),
            ("*.login", "https.login", true),
            ("*", "x", true),
            ("dns.?ogin", "dns.login", true),
            ("dns.login", "dns.login", true),
            ("d*s*n", "dns.login", true),
            ("dns", "dns.login", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
