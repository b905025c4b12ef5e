//! The closed vocabulary: every fact with all its words, and every value that prose may quote.
//!
//! Checks and causes are written in these words and are refused on load when they use another.

mod machine;
mod names;
mod path;
mod principal;
mod reported;
mod roles;
mod run;
mod server;
mod token;
mod values;

pub use values::VALUES;

/// A fact: a question that evidence can answer with one of a few words.
pub struct Fact {
    pub name: &'static str,
    /// What the fact says, for `list --facts`.
    pub says: &'static str,
    pub words: &'static [&'static str],
}

const fn declare(name: &'static str, says: &'static str, words: &'static [&'static str]) -> Fact {
    Fact { name, says, words }
}

/// The declaration of a fact.
pub fn fact(name: &str) -> Option<&'static Fact> {
    facts().find(|fact| fact.name == name)
}

/// The fact that every row has.
const SUBJECT: &[Fact] = &[declare(
    "subject",
    "what the row is about; control = the control destination, other = the host of a check of yours",
    &["login", "graph", "control", "server", "token", "principal", "machine", "nameservers", "reported", "other"],
)];

/// All facts, in the order of the stages.
pub fn facts() -> impl Iterator<Item = &'static Fact> {
    [
        SUBJECT,
        names::FACTS,
        path::FACTS,
        run::FACTS,
        machine::FACTS,
        token::FACTS,
        server::FACTS,
        principal::FACTS,
        reported::FACTS,
        roles::FACTS,
    ]
    .into_iter()
    .flatten()
}
