//! An error text that somebody else got, for `--reported`.

use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reported {
    /// Empty: nothing is reported.
    pub text: String,
    pub from: Channel,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    #[default]
    File,
    /// In UTF-16 with a byte order mark, as Windows PowerShell redirects it.
    Utf16,
    Stdin,
}
