//! The next step when the sign-in works: the lines to sign in with, quoted for where they go. Never a secret in them.

use super::SignIn;
use crate::catalogue::{Catalogue, Line, Quoting};
use crate::evidence::{CaFile, Detail, Observation};
use crate::fact::{Facts, Row};
use crate::prose::quoting;
use crate::verb::{LOGIN, SERVER, TOKEN};

/// Empty unless a session was ready.
pub(super) fn lines(facts: &Facts, catalogue: &Catalogue, evidence: &[Observation]) -> Vec<SignIn> {
    let Some(row) = facts.row(SERVER).filter(|row| row.word("pg.session") == Some("ready")) else { return Vec::new() };
    let known = Known { facts, row, catalogue, evidence };
    // A name that moves a terminal cannot be shown so that it could be copied.
    let names = [facts.settings.user.as_deref(), Some(facts.settings.database.as_str())];
    if names.into_iter().flatten().any(|name| name.chars().any(crate::rules::moves_terminal)) {
        return Vec::new();
    }
    let mut lines: Vec<SignIn> = Vec::new();
    for line in &catalogue.sign_in.line {
        if lines.iter().any(|known| known.client == line.client && known.platform == line.platform) {
            continue;
        }
        if let Some(run) = known.filled(line) {
            lines.push(SignIn {
                client: line.client.clone(),
                platform: line.platform.clone(),
                here: line.platform == "any" || Some(&line.platform) == facts.settings.platform.as_ref(),
                run,
                note: line.note.clone(),
            });
        }
    }
    lines
}

/// What is said beside the lines.
pub(super) fn remarks(facts: &Facts, catalogue: &Catalogue) -> Vec<String> {
    let Some(row) = facts.row(SERVER).filter(|row| row.word("pg.session") == Some("ready")) else { return Vec::new() };
    let remarks = catalogue.sign_in.remark.iter().filter(|remark| remark.when.holds(row));
    remarks.map(|remark| remark.text.trim().to_owned()).collect()
}

struct Known<'a> {
    facts: &'a Facts,
    row: &'a Row,
    catalogue: &'a Catalogue,
    evidence: &'a [Observation],
}

impl Known<'_> {
    fn filled(&self, line: &Line) -> Option<String> {
        crate::prose::whole(line.run.trim(), |name| match name {
            "token" => Some(self.token(line.language)),
            "roots" => self.roots(line).map(|path| quoted(line.language, &path)),
            name => self.value(name).map(|value| quoted(line.language, &value)),
        })
    }

    /// The command that prints a token of the credential that was used.
    fn token(&self, language: Quoting) -> String {
        // What is no shell shows a shell's command.
        let language = if language == Quoting::PowerShell { language } else { Quoting::Shell };
        let source = self.row.word("token.source").unwrap_or_default();
        let rows = self.catalogue.sign_in.token.iter();
        let mut rows = rows.filter(|row| row.language == language && row.credential.iter().any(|name| name == source));
        let found = rows.find_map(|row| {
            let quoting = row.quoting.unwrap_or(row.language);
            crate::prose::whole(row.run.trim(), |name| match name {
                "to_login" => Some(self.to_login()),
                name => self.value(name).map(|value| quoted(quoting, &value)),
            })
        });
        found.unwrap_or_else(|| "<a command that prints a token of the same identity>".to_owned())
    }

    /// Options of curl, each with a blank after it: what decided the way to the login host and is no variable that curl reads itself.
    fn to_login(&self) -> String {
        let settings = &self.facts.settings;
        let mut options = String::new();
        if let Some(file) = settings.ca_file.as_ref().filter(|file| self.vouches(file, LOGIN)) {
            options.push_str(&format!("--cacert {} ", quoting::shell(&file.path)));
        }
        let route = settings.routes.iter().find(|route| route.subject == LOGIN && route.why == "option");
        match route.map(|route| route.proxy.as_deref()) {
            Some(Some(proxy)) => options.push_str(&format!("--proxy {} ", quoting::shell(proxy))),
            Some(None) => options.push_str("--noproxy '*' "),
            None => {}
        }
        options
    }

    fn value(&self, name: &str) -> Option<String> {
        let settings = &self.facts.settings;
        match name {
            "server" => settings.server.clone(),
            "address" => self.dialled().map(|dialled| dialled.ip().to_string()),
            "port" => Some(self.dialled().map_or(settings.port, |dialled| dialled.port()).to_string()),
            "database" => Some(settings.database.clone()),
            "user" => settings.user.clone(),
            "resource" => Some(settings.resource.clone()),
            "client_id" => settings.client_id.clone(),
            "tenant" => settings.tenant.clone(),
            "login_host" => Some(settings.login_host.clone()),
            "token_file" => settings.token_file.clone(),
            // Not the request for Graph's token, which may stand beside it.
            "metadata_url" => self.evidence.iter().find_map(|observation| match &observation.detail {
                Detail::Metadata(reply) if reply.token_received && observation.subject == TOKEN => {
                    Some(reply.url.clone())
                }
                _ => None,
            }),
            _ => None,
        }
    }

    /// Where `--connect-to` led, when it led elsewhere.
    fn dialled(&self) -> Option<std::net::SocketAddr> {
        self.evidence.iter().filter(|observation| observation.subject == SERVER).find_map(|observation| {
            match &observation.detail {
                Detail::TcpConnect(tcp) if observation.outcome.is_ok() && tcp.dialled != tcp.peer => Some(tcp.dialled),
                _ => None,
            }
        })
    }

    /// The file of roots by which psql verifies the server: `--ca-file` when the chain leads there, else this machine's.
    fn roots(&self, line: &Line) -> Option<String> {
        let settings = &self.facts.settings;
        if line.platform != "any" && Some(&line.platform) != settings.platform.as_ref() {
            return line.roots.clone();
        }
        let of_file = settings.ca_file.as_ref().filter(|file| self.vouches(file, SERVER));
        of_file.map(|file| file.path.clone()).or_else(|| settings.roots_file.clone()).or_else(|| line.roots.clone())
    }

    /// Whether the chain of this subject leads to a root of `--ca-file`.
    fn vouches(&self, file: &CaFile, subject: &str) -> bool {
        let mut chains = self.evidence.iter().filter_map(|observation| match &observation.detail {
            Detail::TlsHandshake(handshake) if observation.subject == subject && observation.outcome.is_ok() => {
                Some(&handshake.chain)
            }
            _ => None,
        });
        chains.any(|chain| chain.iter().any(|certificate| file.subjects.contains(&certificate.issuer)))
    }
}

fn quoted(language: Quoting, value: &str) -> String {
    match language {
        Quoting::Shell => quoting::shell(value),
        Quoting::PowerShell => quoting::powershell(value),
        Quoting::Conninfo => quoting::conninfo(value),
        Quoting::Uri => quoting::percent(value),
        Quoting::Text => value.to_owned(),
    }
}
