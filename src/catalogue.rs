//! Knowledge: checks, causes, words, requirements and controls, loaded from `checks/` and verified before anything runs.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::cloud::Cloud;
use crate::fact::Lore;
use crate::words::Words;

mod cause;
mod check;
mod condition;
mod policy;
mod sign_in;
mod verify;
mod words;

pub use cause::{Cause, CommandTemplate, Next, Remedy};
pub use check::{Check, Standing, glob};
pub use condition::When;
pub use policy::{ControlRow, Place, RequirementRow, Statement};
pub use sign_in::{Line, Quoting, SignInText};
pub(crate) use verify::refines;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/checks");

/// Everything that `checks/` says, verified.
pub struct Catalogue {
    pub checks: Vec<Check>,
    pub causes: Vec<Cause>,
    pub words: Words,
    pub requirements: Vec<RequirementRow>,
    pub controls: Vec<ControlRow>,
    pub statements: Vec<Statement>,
    pub clouds: Vec<Cloud>,
    pub sign_in: SignInText,
}

/// One file of the catalogue: where it came from, for messages, and its text.
struct File {
    origin: String,
    embedded: bool,
    text: String,
}

impl Catalogue {
    /// The embedded files, with those of `directories` laid over them.
    ///
    /// # Errors
    /// A sentence that names the file, the line and the choices.
    pub fn load(directories: &[impl AsRef<Path>]) -> Result<Catalogue, String> {
        let mut files = BTreeMap::new();
        embedded(&EMBEDDED, &mut files);
        for directory in directories {
            overlay(directory.as_ref(), directory.as_ref(), &mut files)?;
        }
        let mut catalogue = Catalogue {
            checks: Vec::new(),
            causes: Vec::new(),
            words: Words::default(),
            requirements: Vec::new(),
            controls: Vec::new(),
            statements: Vec::new(),
            clouds: Vec::new(),
            sign_in: SignInText::default(),
        };
        for (path, file) in &files {
            catalogue.take(path, file)?;
        }
        verify::whole(&catalogue, &files)?;
        Ok(catalogue)
    }

    fn take(&mut self, path: &str, file: &File) -> Result<(), String> {
        let Some(stem) = path.strip_suffix(".toml") else { return Ok(()) };
        let parts: Vec<&str> = stem.split('/').collect();
        // The path is the id: it is printed on terminals and typed after `explain`.
        let kebab = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if !parts.iter().all(kebab) {
            return Err(format!("{:?}: names of files are ids: small letters, digits and hyphens", file.origin));
        }
        match parts.as_slice() {
            ["requirements"] => self.requirements = policy::requirements(file)?,
            ["controls"] => self.controls = policy::controls(file)?,
            ["sign-in"] => self.sign_in = sign_in::parse(file)?,
            ["vantage"] => self.statements = policy::statements(file)?,
            ["words", name] => self.words.insert(name, words::list(file)?),
            ["clouds", name] => {
                let cloud =
                    Cloud::parse(&file.text).map_err(|error| format!("{}: {}", file.origin, error.trim_end()))?;
                if cloud.name != *name {
                    return Err(format!(
                        "{}: the cloud is named `{}`, the file `{name}`; they must agree",
                        file.origin, cloud.name
                    ));
                }
                self.clouds.push(cloud);
            }
            ["causes", stage, name] => self.causes.push(Cause::parse(stage, name, file)?),
            [stage, name] => self.checks.push(Check::parse(stage, name, file)?),
            _ => {
                return Err(format!(
                    "{}: no file of the catalogue lives at this place; see checks/README.md",
                    file.origin
                ));
            }
        }
        Ok(())
    }

    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    pub fn cause(&self, id: &str) -> Option<&Cause> {
        self.causes.iter().find(|cause| cause.id == id)
    }

    pub fn cloud(&self, name: &str) -> Option<&Cloud> {
        self.clouds.iter().find(|cloud| cloud.name == name)
    }

    /// What reading evidence needs to know.
    pub fn lore(&self) -> Lore<'_> {
        Lore { words: &self.words, clouds: &self.clouds }
    }

    /// The cloud that a server's name or an authority's host belongs to.
    pub fn cloud_of(&self, host: &str) -> Option<&Cloud> {
        self.clouds.iter().find(|cloud| cloud.has_server(host) || cloud.has_authority(host))
    }
}

fn embedded(directory: &Dir<'_>, files: &mut BTreeMap<String, File>) {
    for file in directory.files() {
        let path = file.path().to_string_lossy().replace('\\', "/");
        if let Some(text) = file.contents_utf8().filter(|_| path.ends_with(".toml")) {
            files
                .insert(path.clone(), File { origin: format!("checks/{path}"), embedded: true, text: text.to_owned() });
        }
    }
    for inner in directory.dirs() {
        embedded(inner, files);
    }
}

/// A user's file is read up to this size.
const FILE: u64 = 4 * 1024 * 1024;

fn overlay(root: &Path, directory: &Path, files: &mut BTreeMap<String, File>) -> Result<(), String> {
    let entries = std::fs::read_dir(directory)
        .map_err(|error| format!("--checks {}: {error}; name a directory shaped like checks/", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("--checks {}: {error}", directory.display()))?.path();
        if path.is_dir() {
            overlay(root, &path, files)?;
            continue;
        }
        let Ok(inside) = path.strip_prefix(root) else { continue };
        let inside = inside.to_string_lossy().replace('\\', "/");
        if !inside.ends_with(".toml") {
            continue;
        }
        let origin = path.display().to_string();
        let length = path.metadata().map_err(|error| format!("{origin}: {error}"))?.len();
        if length > FILE {
            return Err(format!("{origin}: has {length} bytes; a file of the catalogue has at most {FILE}"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{origin}: {error}"))?;
        files.insert(inside, File { origin, embedded: false, text });
    }
    Ok(())
}

impl File {
    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        toml::from_str(&self.text).map_err(|error| {
            let before = error.span().and_then(|span| self.text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            format!("{}:{line}: {}", self.origin, error.message().trim_end())
        })
    }

    /// The place of a key in the file, for messages: its own line, or that of its table.
    fn key(&self, name: &str) -> String {
        let opens = |line: &str| {
            let line = line.trim_start_matches(['[', ' ', '\t']);
            line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
        };
        format!("{}:{}", self.origin, self.text.lines().position(opens).map_or(1, |line| line + 1))
    }

    /// The place of a word in the file, for messages: the first line that quotes it.
    fn place(&self, word: &str) -> String {
        let quoted = [format!("\"{word}\""), format!("'{word}'"), format!("{{{word}}}")];
        let line = self
            .text
            .lines()
            .position(|line| quoted.iter().any(|form| line.contains(form.as_str())))
            .or_else(|| self.text.lines().position(|line| line.contains(word)));
        format!("{}:{}", self.origin, line.map_or(1, |line| line + 1))
    }
}
