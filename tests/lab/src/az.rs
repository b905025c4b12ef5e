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
pub fn install(dir: &Path, wanted: &Az, tokens: (&Made, &Made), names: &Names) -> io::Result<PathBuf> {
    let bin = dir.join("bin");
    std::fs::create_dir(&bin)?;
    if wanted.installed {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(bin.join("az"))?;
        file.write_all(script(wanted, tokens, names).as_bytes())?;
    }
    Ok(bin)
}

fn script(wanted: &Az, (token, graph_token): (&Made, &Made), names: &Names) -> String {
    let answer = |token: &Made| {
        let answer = json!({
            "accessToken": token.handed,
            "expiresOn": "2026-11-24 11:00:00.000000",
            "expires_on": token.expires,
            "subscription": names.subscription,
            "tenant": names.tenant,
            "tokenType": "Bearer",
        });
        printed(wanted.stdout, &format!("{answer:#}\n"))
    };
    let stderr = wanted.stderr.replace("{token}", &token.secret);
    // A child of the shell, as Python is of the real one: both must go when time is over.
    let hang = if wanted.hang { "/bin/sleep 60\n" } else { "" };
    format!(
        "#!/bin/sh\n\
         case \"$1 $2 $3 $4 $5 $6\" in {call}) answer={stdout};; {graph_call}) answer={graph_stdout};; \
         {bare}) if [ \"$7 $8\" = '--output tsv' ]; then answer={token}; else exit 64; fi;; *) exit 64;; esac\n\
         [ -z \"$AZURE_CLIENT_SECRET$PGPASSWORD$IDENTITY_HEADER\" ] || exit 65\n\
         {hang}printf '%s' {stderr} >&2\n\
         printf '%s' \"$answer\"\n\
         exit {exit}\n",
        call = call(names.cloud.resource, "output json"),
        bare = call(names.cloud.resource, "query accessToken"),
        token = quoted(&token.handed),
        graph_call = call(&format!("https://{}", names.cloud.graph), "output json"),
        stderr = quoted(&stderr),
        stdout = quoted(&answer(token)),
        graph_stdout = quoted(&answer(graph_token)),
        exit = wanted.exit,
    )
}

/// The arguments of a question for a token, as one word of the shell.
fn call(resource: &str, option: &str) -> String {
    quoted(&format!("account get-access-token --resource {resource} --{option}"))
}

fn printed(how: Printed, answer: &str) -> String {
    match how {
        Printed::Token => answer.to_owned(),
        Printed::WarningsThenToken => format!("WARNING: A new version is available {{it is no JSON}}.\n{answer}"),
        Printed::Nothing => String::new(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
