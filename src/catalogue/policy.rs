//! What Microsoft's document requires, what each control is, and what a run can prove from where it stands.

use serde::Deserialize;

use super::File;
use super::condition::When;
use crate::terms::{Control, Topology};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementRow {
    pub id: String,
    pub text: String,
    /// The topologies to which it applies; while the topology is unknown all requirements apply.
    pub topologies: Vec<Topology>,
    pub place: Place,
    /// The controls that it is about: a failure that leaves none of them open says nothing against it. None named: any failure does.
    #[serde(default)]
    pub controls: Vec<Control>,
    /// What must hold of a check's subject for a passed check to speak for this requirement.
    #[serde(default)]
    pub speaks: When,
    /// What proves it although it is about another place.
    #[serde(default)]
    pub yes: When,
    pub source: String,
}

/// Which subnet a requirement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Here,
    ServerSubnet,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRow {
    pub name: Control,
    pub says: String,
    pub owner: String,
    /// Stages in which it is a candidate when no cause explains a failure.
    pub stages: Vec<String>,
    /// Each of these rules it out for a subject.
    #[serde(default)]
    pub out: Vec<When>,
    /// Where to look when nothing explains a failure.
    #[serde(default)]
    pub look: Vec<String>,
}

/// What a run from here can and cannot prove; the first whose condition holds is said.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(default)]
    pub when: When,
    pub text: String,
}

pub(super) fn requirements(file: &File) -> Result<Vec<RequirementRow>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        requirement: Vec<RequirementRow>,
    }
    file.parse::<Written>().map(|written| written.requirement)
}

pub(super) fn controls(file: &File) -> Result<Vec<ControlRow>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        control: Vec<ControlRow>,
    }
    file.parse::<Written>().map(|written| written.control)
}

pub(super) fn statements(file: &File) -> Result<Vec<Statement>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        statement: Vec<Statement>,
    }
    file.parse::<Written>().map(|written| written.statement)
}
