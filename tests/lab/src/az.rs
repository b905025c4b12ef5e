//! The Azure CLI: a script that answers `az account get-access-token` as a story wants it.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::names::Names;
use crate::scenario::{Az, Printed};
use crate::token::Made;

/// Lays the script down, and returns the directory for the PATH. It is the only directory there: the script uses nothing but its shell.
///
/// # Errors
/// When the file cannot be written.
pub fn install(dir: &Path, wanted: &Az, token: &Made, names: &Names) -> io::Result<PathBuf> {
    let bin = dir.join("bin");
    std::fs::create_dir(&bin)?;
    if wanted.installed {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(bin.join("az"))?;
        file.write_all(script(wanted, token, names).as_bytes())?;
    }
    Ok(bin)
}

fn script(wanted: &Az, token: &Made, names: &Names) -> String {
    let answer = json!({
        "accessToken": token.handed,
        "expiresOn": "2026-11-24 11:00:00.000000",
        "expires_on": token.expires,
        "subscription": names.subscription,
        "tenant": names.tenant,
        "tokenType": "Bearer",
    });
    let warning = "WARNING: A new version is available {it is no JSON}.\n";
    let stdout = match wanted.stdout {
        Printed::Token => format!("{answer:#}\n"),
        Printed::WarningsThenToken => format!("{warning}{answer:#}\n"),
        Printed::Nothing => String::new(),
    };
    let stderr = wanted.stderr.replace("{token}", &token.secret);
    // A child of the shell, as Python is of the real one: both must go when time is over.
    let hang = if wanted.hang { "/bin/sleep 60\n" } else { "" };
    format!(
        "#!/bin/sh\n\
         [ \"$1 $2 $3 $4 $5 $6\" = {call} ] || exit 64\n\
         [ -z \"$AZURE_CLIENT_SECRET$PGPASSWORD$IDENTITY_HEADER\" ] || exit 65\n\
         {hang}printf '%s' {stderr} >&2\n\
         printf '%s' {stdout}\n\
         exit {exit}\n",
        call = quoted(&format!("account get-access-token --resource {} --output json", names.cloud.resource)),
        stderr = quoted(&stderr),
        stdout = quoted(&stdout),
        exit = wanted.exit,
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
