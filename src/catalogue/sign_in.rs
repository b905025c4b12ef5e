//! How to sign in, as `checks/sign-in.toml` says it: lines for each client, commands that print a token, and what is said beside them.

use serde::Deserialize;

use super::File;
use super::cause::Remark;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInText {
    pub line: Vec<Line>,
    pub token: Vec<TokenCommand>,
    #[serde(default)]
    pub remark: Vec<Remark>,
}

/// A line for one client; the first of its client and platform of which all values are known is taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub client: String,
    /// `linux`, `macos`, `windows` or `any`.
    pub platform: String,
    pub language: Quoting,
    /// The file of roots where nothing better is known; none: that of this machine.
    pub roots: Option<String>,
    pub run: String,
    pub note: Option<String>,
}

/// A command that prints a token of a credential.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCommand {
    pub credential: Vec<String>,
    pub language: Quoting,
    /// How its values are quoted, when not as its language has it.
    pub quoting: Option<Quoting>,
    pub run: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quoting {
    Shell,
    #[serde(rename = "powershell")]
    PowerShell,
    Conninfo,
    Uri,
    Text,
}

/// What a line may quote.
pub const LINE: [&str; 7] = ["server", "address", "port", "database", "user", "roots", "token"];
/// What a command that prints a token may quote.
pub const TOKEN: [&str; 7] =
    ["metadata_url", "resource", "client_id", "tenant", "login_host", "to_login", "token_file"];

pub(super) fn parse(file: &File) -> Result<SignInText, String> {
    let text: SignInText = file.parse()?;
    let lines = text.line.iter().map(|line| (&line.run, LINE.as_slice()));
    for (run, known) in lines.chain(text.token.iter().map(|token| (&token.run, TOKEN.as_slice()))) {
        if let Some(name) = crate::prose::names(run).into_iter().find(|name| !known.contains(name)) {
            return Err(format!(
                "{}: `{{{name}}}` is not a value here; the choices are: {}",
                file.place(name),
                known.join(", ")
            ));
        }
    }
    for line in &text.line {
        if !["linux", "macos", "windows", "any"].contains(&line.platform.as_str()) {
            return Err(format!(
                "{}: `{}` is not a platform; the choices are: linux, macos, windows, any",
                file.place(&line.platform),
                line.platform
            ));
        }
    }
    Ok(text)
}
