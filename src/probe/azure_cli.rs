//! The Azure CLI: asked for a token of its own signed-in account. Its output is read, never shown.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::token::Wanted;
use super::{Run, application, grant};
use crate::evidence::{Detail, TokenRequest};
use crate::failure::Outcome;
use crate::net::quote;
use crate::secret::Secret;

/// More than any answer of `az account get-access-token`.
const OUTPUT: u64 = 1024 * 1024;
/// Once `az` has ended, so long its pipes may take to say so.
const LINGERING: Duration = Duration::from_millis(200);
/// What `az` needs of our environment; secrets of ours are none of its business.
const ENVIRONMENT: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "AZURE_CONFIG_DIR",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "ARM_CLOUD_METADATA_URL",
];

/// So much of what it says is looked at.
const LINES: usize = 40;

/// Whether `az` is on the PATH.
pub(super) fn installed() -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|directory| directory.join("az").is_file())
}

pub(super) async fn token(run: &Run, wanted: &Wanted<'_>) -> Option<Secret> {
    let mut arguments = vec!["account", "get-access-token", "--resource", wanted.resource, "--output", "json"];
    if let Some(tenant) = &run.target.tenant {
        arguments.extend(["--tenant", tenant]);
    }
    let asked = format!("az {}", arguments.join(" "));
    let detail = TokenRequest { credential: "azure-cli".to_owned(), asked, ..TokenRequest::default() };
    let mut pending = run.recorder.begin(wanted.subject, "the Azure CLI", Detail::TokenRequest(Box::new(detail)));
    // The CLI is slow to start and asks Entra itself: it gets more patience than one operation, and the run its deadline.
    let patience = run.patience() * 3;
    let answer = tokio::time::timeout(patience, answer(&arguments)).await;
    let Detail::TokenRequest(detail) = &mut pending.detail else { return None };
    let (outcome, error, token) = match answer {
        Err(_) => (Outcome::Timeout, Some(format!("no answer within {} s", patience.as_secs_f64())), None),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            (Outcome::Unresolved, Some("az is not on the PATH".to_owned()), None)
        }
        Ok(Err(error)) => (Outcome::of_io(&error), Some(error.to_string()), None),
        Ok(Ok((true, output, _))) => match read(&output) {
            Some(token) => (Outcome::Ok, None, Some(token)),
            None => (Outcome::Garbage, Some("az printed no token".to_owned()), None),
        },
        Ok(Ok((false, _, text))) => {
            let said = quote(telling(&text).as_bytes());
            grant::protect(&run.recorder, None, [Some(&said)]);
            detail.codes = application::codes(&text);
            detail.description = Some(said);
            (Outcome::Rejected, Some("az failed".to_owned()), None)
        }
    };
    if let Some(token) = &token {
        run.recorder.protect(token);
        detail.token_received = true;
    }
    pending.end(outcome, error);
    token
}

/// What `az` says before the traceback of a defect, without the sentence that announces one (azure-cli 2.91).
fn telling(text: &str) -> String {
    // More lines than these are not kept anyway.
    let said = text.lines().take(LINES).take_while(|line| !line.starts_with("Traceback (most recent"));
    let said: Vec<&str> = said.filter(|line| !line.contains("Here is the traceback")).collect();
    if said.is_empty() { text.trim().to_owned() } else { said.join("\n").trim().to_owned() }
}

/// `az` is a script that starts Python: when its time is over, both go.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            crate::net::host::end_group(id);
        }
    }
}

/// Whether it succeeded, what it printed, and what it said on standard error.
async fn answer(arguments: &[&str]) -> std::io::Result<(bool, zeroize::Zeroizing<Vec<u8>>, String)> {
    let mut command = tokio::process::Command::new("az");
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.kill_on_drop(true).process_group(0);
    let mut child = command.spawn()?;
    let mut group = Group(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = zeroize::Zeroizing::new(Vec::new());
    let mut text = Vec::new();
    let reading = async {
        let read_output = async {
            match stdout {
                Some(stdout) => stdout.take(OUTPUT).read_to_end(&mut output).await.map(|_| ()),
                None => Ok(()),
            }
        };
        let read_text = async {
            match stderr {
                Some(stderr) => stderr.take(OUTPUT).read_to_end(&mut text).await.map(|_| ()),
                None => Ok(()),
            }
        };
        let (one, other) = tokio::join!(read_output, read_text);
        one.and(other)
    };
    let status = {
        tokio::pin!(reading);
        tokio::select! {
            read = &mut reading => {
                read?;
                child.wait().await?
            }
            ended = child.wait() => {
                // What it left behind may keep the pipes open for as long as it likes: what `az` itself wrote is there.
                if let Ok(read) = tokio::time::timeout(LINGERING, &mut reading).await {
                    read?;
                }
                ended?
            }
        }
    };
    group.0 = None;
    Ok((status.success(), output, String::from_utf8_lossy(&text).into_owned()))
}

/// The token in what `az` printed; warnings may stand before the JSON, which begins a line.
fn read(output: &[u8]) -> Option<Secret> {
    let begins = |at: &usize| output[*at] == b'{' && (*at == 0 || output[at - 1] == b'\n');
    let start = (0..output.len()).find(begins)?;
    let body: Value = serde_json::Deserializer::from_slice(&output[start..]).into_iter().next()?.ok()?;
    body.get("accessToken")?.as_str().map(|token| Secret::new(token.to_owned()))
}
