//! A cause explains: a row of the decision table, with what could be changed and how.

use serde::Deserialize;

use super::File;
use super::condition::When;
use crate::stage::Stage;
use crate::terms::{CommandKind, Control, Language};
use crate::words::Mark;

#[derive(Clone, Debug)]
pub struct Cause {
    pub id: String,
    pub stage: Stage,
    pub text: Text,
    pub(super) origin: String,
}

/// The file of a cause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub title: String,
    pub mark: Mark,
    pub when: When,
    #[serde(default)]
    pub refines: Vec<String>,
    /// Which check of its stage and subject it explains, when there are several.
    pub check: Option<String>,
    #[serde(default)]
    pub because: Vec<String>,
    pub means: String,
    pub verify: String,
    #[serde(default)]
    pub sources: Vec<String>,
    #[serde(default)]
    pub control: Vec<Candidate>,
    #[serde(default)]
    pub next: Vec<Next>,
    #[serde(default)]
    pub remark: Vec<Remark>,
    #[serde(default)]
    pub remedy: Vec<Remedy>,
}

/// What could be changed, and what rules it out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub name: Control,
    pub out: Option<When>,
}

/// The one test that tells remaining controls apart.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    pub between: Vec<Control>,
    pub text: String,
    pub run: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    pub when: When,
    pub text: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    pub control: Control,
    pub owner: String,
    pub title: String,
    #[serde(default)]
    pub steps: Vec<String>,
    #[serde(default)]
    pub commands: Vec<CommandTemplate>,
    #[serde(default)]
    pub docs: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandTemplate {
    pub run: String,
    pub kind: CommandKind,
    #[serde(default)]
    pub language: Language,
}

impl Cause {
    pub(super) fn parse(stage: &str, name: &str, file: &File) -> Result<Cause, String> {
        let text: Text = file.parse()?;
        Ok(Cause {
            id: format!("{stage}/{name}"),
            stage: super::verify::stage(stage, file)?,
            text,
            origin: file.origin.clone(),
        })
    }

    /// Every text of the cause in which values may be quoted.
    pub(super) fn prose(&self) -> impl Iterator<Item = &str> {
        let text = &self.text;
        let lines = [&text.title, &text.means, &text.verify].into_iter().chain(&text.because);
        let next = text.next.iter().flat_map(|next| std::iter::once(&next.text).chain(&next.run));
        let remarks = text.remark.iter().map(|remark| &remark.text);
        let remedies = text.remedy.iter().flat_map(|remedy| {
            std::iter::once(&remedy.title)
                .chain(&remedy.steps)
                .chain(remedy.commands.iter().map(|command| &command.run))
        });
        lines.chain(next).chain(remarks).chain(remedies).map(String::as_str)
    }
}
