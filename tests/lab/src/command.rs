//! The program's command line and environment, as they grow with its world.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::ca::Authorities;
use crate::directory::Directory;
use crate::names::Names;
use crate::proof::Proof;
use crate::scenario::{Channel, From, Scenario, Tenant, Tls};
use crate::token::Made;

/// The command line and the environment, as they grow.
pub(crate) struct Command<'a> {
    scenario: &'a Scenario,
    names: Names,
    directory: Directory,
    server: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: Option<Vec<u8>>,
}

impl<'a> Command<'a> {
    pub(crate) fn new(scenario: &'a Scenario, names: Names, directory: Directory, server: String) -> Command<'a> {
        let args = vec!["check".to_owned()];
        let mut command = Command { scenario, names, directory, server, args, env: Vec::new(), stdin: None };
        if scenario.world.server {
            let port = scenario.server.port;
            let server = if port == 5432 { command.server.clone() } else { format!("{}:{port}", command.server) };
            command.option("--server", &server);
        }
        if scenario.world.user {
            command.option("--user", &command.names.user.clone());
        }
        if scenario.principal.as_ref().is_some_and(|principal| principal.asked) {
            command.option("--principal", &command.directory.written.clone());
        }
        command.option("--timeout", &scenario.world.timeout);
        command.option("--deadline", &scenario.world.deadline);
        command
    }

    pub(crate) fn option(&mut self, name: &str, value: &str) {
        self.args.extend([name.to_owned(), value.to_owned()]);
    }

    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn trust(&mut self, dir: &Path, scenario: &Scenario, authorities: &Authorities) -> io::Result<()> {
        let mut roots = authorities.root.pem();
        if [scenario.login.tls, scenario.graph.tls].contains(&Tls::InspectedTrusted)
            || scenario.server.sides().contains(&Tls::InspectedTrusted)
        {
            roots.push_str(&authorities.appliance.pem());
        }
        let (mine, platform) = (dir.join("roots.pem"), dir.join("platform.pem"));
        std::fs::write(&mine, roots)?;
        std::fs::write(&platform, authorities.unrelated.pem())?;
        if scenario.world.ca_file {
            self.option("--ca-file", &mine.to_string_lossy());
        }
        self.env("SSL_CERT_FILE", &platform.to_string_lossy());
        Ok(())
    }

    pub(crate) fn credential(
        &mut self,
        dir: &Path,
        scenario: &Scenario,
        (token, graph_token): (&Made, &Made),
        proof: &Proof,
    ) -> io::Result<()> {
        match scenario.token.from {
            From::Metadata | From::AppService | From::Arc if scenario.az.beside => {
                let path = crate::az::install(dir, &scenario.az, (token, graph_token), &self.names)?;
                self.env("PATH", &path.to_string_lossy());
            }
            From::Metadata | From::AppService | From::Arc => {}
            From::ClientSecret | From::ClientCertificate | From::WorkloadIdentity => self.application(dir, proof)?,
            From::AzureCli => {
                let path = crate::az::install(dir, &scenario.az, (token, graph_token), &self.names)?;
                self.env("PATH", &path.to_string_lossy());
                if !scenario.world.args.iter().any(|arg| arg.starts_with("--credential")) {
                    self.option("--credential", "azure-cli");
                }
            }
            From::None => self.option("--credential", "none"),
            From::Environment => self.env("PGPASSWORD", &token.handed),
            From::Stdin => {
                self.option("--token-file", "-");
                self.stdin = Some(token.handed.clone().into_bytes());
            }
            From::File => {
                let path = dir.join("token");
                write_private(&path, &token.handed)?;
                self.option("--token-file", &path.to_string_lossy());
            }
        }
        if scenario.token.tenant == Tenant::Other && !scenario.world.args.iter().any(|arg| arg.starts_with("--tenant"))
        {
            let tenant = self.names.tenant.clone();
            self.option("--tenant", &tenant);
        }
        Ok(())
    }

    /// The error text that somebody else got, with a password in it that nobody may see again.
    pub(crate) fn reported(&mut self, dir: &Path, password: &str) -> io::Result<()> {
        let reported = &self.scenario.reported;
        if reported.text.is_empty() {
            return Ok(());
        }
        let text = format!("{}\nPGPASSWORD={password}\n", self.filled(&reported.text));
        if reported.from == Channel::Stdin {
            self.option("--reported", "-");
            self.stdin = Some(text.into_bytes());
            return Ok(());
        }
        let path = dir.join("reported");
        let bytes = match reported.from {
            Channel::Utf16 => text.encode_utf16().fold(vec![0xff, 0xfe], |mut bytes, unit| {
                bytes.extend(unit.to_le_bytes());
                bytes
            }),
            Channel::File | Channel::Stdin => text.into_bytes(),
        };
        std::fs::write(&path, bytes)?;
        self.option("--reported", &path.to_string_lossy());
        Ok(())
    }

    /// The user's own checks, as they are written for this world.
    pub(crate) fn checks(&mut self, dir: &Path) -> io::Result<Vec<(String, String)>> {
        let files = self.scenario.world.checks.iter().map(|(path, text)| (path.clone(), self.filled(text)));
        let files: Vec<(String, String)> = files.collect();
        if !files.is_empty() {
            let checks = dir.join("checks");
            lay(&checks, &files)?;
            self.option("--checks", &checks.to_string_lossy());
        }
        Ok(files)
    }

    /// The environment of an application, as the Azure SDKs read it.
    fn application(&mut self, dir: &Path, proof: &Proof) -> io::Result<()> {
        let (tenant, client_id) = (self.names.tenant.clone(), self.names.client_id.clone());
        self.env("AZURE_TENANT_ID", &tenant);
        self.env("AZURE_CLIENT_ID", &client_id);
        let mut in_file = |variable: &str, text: &str| {
            let path = dir.join("proof");
            write_private(&path, text)?;
            self.env(variable, &path.to_string_lossy());
            Ok::<(), io::Error>(())
        };
        match proof {
            Proof::None => {}
            Proof::Secret(secret) => self.env("AZURE_CLIENT_SECRET", secret),
            Proof::Certificate(certificate) => in_file("AZURE_CLIENT_CERTIFICATE_PATH", &certificate.pem)?,
            Proof::Federated(token) => in_file("AZURE_FEDERATED_TOKEN_FILE", &format!("{token}\n"))?,
        }
        Ok(())
    }

    /// App Service names its endpoint in the environment; it stands where the metadata service would.
    pub(crate) fn platform(&mut self, header: Option<&str>) {
        let arc = self.scenario.token.from == From::Arc;
        if header.is_none() && (!arc || self.scenario.metadata.installed) {
            return;
        }
        let metadata = self.env.iter().find(|(name, _)| name == "AZURE_POD_IDENTITY_AUTHORITY_HOST");
        let own = if arc { "http://localhost:40342" } else { "http://169.254.169.254" };
        let base = metadata.map_or(own, |(_, base)| base);
        let base = base.to_owned();
        if let Some(header) = header {
            self.env("IDENTITY_ENDPOINT", &format!("{base}/msi/token"));
            self.env("IDENTITY_HEADER", header);
        } else {
            self.env("IDENTITY_ENDPOINT", &format!("{base}/metadata/identity/oauth2/token"));
            self.env("IMDS_ENDPOINT", &base);
        }
    }

    /// The scenario's own arguments and variables come last.
    pub(crate) fn end(mut self, scenario: &Scenario) -> Command<'a> {
        let args: Vec<String> = scenario.world.args.iter().map(|arg| self.filled(arg)).collect();
        self.args.extend(args);
        for (name, value) in &self.scenario.world.env {
            let value = self.filled(value);
            self.env(name, &value);
        }
        self
    }

    fn filled(&self, text: &str) -> String {
        let names = &self.names;
        let mut guest = format!("{}_mail#EXT#@{1}-{1}-{1}-holding.onmicrosoft.com", names.user, names.company);
        guest.truncate(63);
        let values = [
            ("{server}", self.server.as_str()),
            ("{user}", &names.user),
            ("{USER}", &names.user.to_uppercase()),
            ("{server_name}", &names.server_name),
            ("{company}", &names.company),
            ("{database}", "postgres"),
            ("{login}", names.cloud.login),
            ("{graph}", names.cloud.graph),
            ("{tenant}", &names.tenant),
            ("{client_id}", &names.client_id),
            ("{object_id}", &names.object_id),
            ("{server_name}", &names.server_name),
            ("{subscription}", &names.subscription),
            ("{longest}", &guest),
            ("{written}", &self.directory.written),
            ("{exact}", &self.directory.exact),
        ];
        values.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// Writes files below a directory.
pub(crate) fn lay(dir: &Path, files: &[(String, String)]) -> io::Result<()> {
    for (path, text) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// A file that only its owner may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}
