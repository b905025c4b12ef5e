//! The files of `tests/scenarios`: where they are, and their names.

use std::path::{Path, PathBuf};

use crate::scenario::Scenario;

/// A scenario with the name that its path gives it.
pub struct Story {
    pub name: String,
    pub scenario: Scenario,
}

/// Where the stories are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// Every story below `directory`, in order of name.
///
/// # Errors
/// A sentence that names the file and what is wrong with it.
pub fn all(directory: &Path) -> Result<Vec<Story>, String> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    files.sort();
    files.iter().map(|file| read(directory, file)).collect()
}

/// The story of that name.
///
/// # Errors
/// A sentence: no such story, or what is wrong with its file.
pub fn named(directory: &Path, name: &str) -> Result<Story, String> {
    let file = directory.join(format!("{name}.toml"));
    if file.is_file() && !name.contains("..") {
        return read(directory, &file);
    }
    let last = name.rsplit('/').next().unwrap_or(name);
    let near: Vec<String> =
        all(directory)?.into_iter().map(|story| story.name).filter(|known| known.contains(last)).collect();
    let hint =
        if near.is_empty() { "--list names them all".to_owned() } else { format!("perhaps {}", near.join(", ")) };
    Err(format!("there is no story `{name}`; {hint}"))
}

fn read(directory: &Path, file: &Path) -> Result<Story, String> {
    let relative = file.strip_prefix(directory).unwrap_or(file);
    let name = relative.with_extension("").to_string_lossy().replace('\\', "/");
    let wrong = |error: String| format!("{}: {error}", relative.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let scenario = Scenario::parse(&text).map_err(wrong)?;
    Ok(Story { name, scenario })
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", directory.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_can_be_read() {
        let mut wrong = Vec::new();
        let mut files = Vec::new();
        collect(&directory(), &mut files).expect("the directory of stories");
        for file in files {
            if let Err(error) = read(&directory(), &file) {
                wrong.push(error);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_unknown_name_gets_a_hint() {
        let error = named(&directory(), "no/such-story").map(|story| story.name).expect_err("unknown");
        assert!(error.contains("--list"), "{error}");
    }
}
