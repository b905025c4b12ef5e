//! The name that is looked up in the directory, and how Graph treats the question.

use serde::Deserialize;

/// What the directory has under the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The principal of `--user`.
    #[default]
    Own,
    User,
    Guest,
    Group,
    ServicePrincipal,
    ManagedIdentity,
    /// Two service principals of one name.
    Twins,
    /// A service principal with a name of more than 63 bytes.
    Long,
    Nobody,
}

/// How the name is written where the program gets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    #[default]
    Exactly,
    OtherCase,
    Blanks,
    ClientId,
    ObjectId,
    Mail,
    DisplayName,
}

/// What Graph does with a question that has its token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphMode {
    #[default]
    Ok,
    /// The credential may read nothing, as a managed identity by default.
    NoPermission,
    /// It may read users only.
    UsersOnly,
    /// The token is refused.
    Unauthorized,
    Throttled,
    /// Busy at the first question about each collection.
    ThrottledOnce,
    /// Empty pages before the one that has it.
    Paged,
    /// A link to the next page that leads elsewhere.
    PagedElsewhere,
    Redirect,
    Html,
    Silent,
}

/// `[principal]`. Without it, `--principal` is not given and the credential may not read the directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Principal {
    pub who: Who,
    pub written: Written,
    /// Whether `--principal` is given; else the name is for `{written}` in the arguments.
    pub asked: bool,
    pub graph: GraphMode,
    /// Whether the principal of `--user` has another object id than its token says: deleted and made anew.
    pub anew: bool,
}

impl Default for Principal {
    fn default() -> Principal {
        Principal { who: Who::Own, written: Written::Exactly, asked: true, graph: GraphMode::Ok, anew: false }
    }
}
