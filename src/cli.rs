//! The command line: what may be said, and how it is told apart from what is wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::target::connect_to::ConnectTo;
use crate::terms::Topology;

mod credential;
mod file;
mod output;
mod reported;
mod target;

pub use output::Outputs;
pub use target::target;

#[derive(Parser)]
#[command(
    name = "entra-preflight",
    version,
    about = "Will Microsoft Entra sign-in to Azure Database for PostgreSQL work from here, and if not, what must be changed?",
    after_help = "Without a command, `check` runs. Exit status: 0 pass or warn, 1 fail, 2 bad usage or input, \
                  3 undetermined, 130/143 interrupted.\nNo option takes a secret: hand it in by file, standard input or environment.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub check: CheckArgs,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the checks from this machine (the default).
    Check(Box<CheckArgs>),
    /// Name every check and every cause.
    List {
        /// The vocabulary that checks and causes are written in.
        #[arg(long)]
        facts: bool,
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
        #[command(flatten)]
        common: Common,
    },
    /// Everything known about a check or a cause, offline.
    Explain {
        /// A check (dns.login) or a cause (https/no-answer).
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Judge the evidence of a saved report again, on any machine.
    Replay {
        /// A report in JSON; `-` reads standard input.
        report: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        common: Common,
    },
    /// Print the JSON Schema of the report.
    Schema,
    /// Name every destination that `check` may contact with these options, and for what; nothing is contacted.
    Plan(Box<CheckArgs>),
    /// Print completions for a shell.
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Clone, Default)]
pub struct CheckArgs {
    /// The flexible server [port 5432; 6432 is PgBouncer]; without it the server checks are skipped [PGHOST, PGPORT].
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// Database role to sign in as, never altered; without it no sign-in is tried [PGUSER].
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Look this user, group, service principal or managed identity up in Microsoft Graph: name and type as the server will want them.
    #[arg(long, value_name = "NAME")]
    pub principal: Option<String>,
    /// Database [PGDATABASE; default: postgres].
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Another role to look up after the sign-in: does it exist, and which Entra principal is it mapped to?
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// Where the token comes from.
    #[arg(long, value_enum, value_name = "KIND")]
    pub credential: Option<CredentialArg>,
    /// A file with a token that somebody already has; `-` reads standard input.
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Which identity, by its client id [AZURE_CLIENT_ID].
    #[arg(long, value_name = "GUID")]
    pub client_id: Option<String>,
    /// Which managed identity, by its object id.
    #[arg(long, value_name = "GUID", conflicts_with_all = ["client_id", "resource_id"])]
    pub object_id: Option<String>,
    /// Which managed identity, by its Azure resource id.
    #[arg(long, value_name = "ID", conflicts_with = "client_id")]
    pub resource_id: Option<String>,
    /// Which tenant the token must be of [AZURE_TENANT_ID].
    #[arg(long, value_name = "GUID|DOMAIN")]
    pub tenant: Option<String>,
    /// An error text that the portal, a command line, Terraform or psql gave; `-` reads standard input. Secrets in it are blotted out.
    #[arg(long, value_name = "FILE")]
    pub reported: Option<PathBuf>,
    /// public, usgov, china, or a file that describes any other cloud [guessed from the server's name].
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub cloud: Option<String>,
    /// Which of Microsoft's network requirements apply.
    #[arg(long, value_enum, default_value_t = TopologyArg::Auto)]
    pub topology: TopologyArg,
    /// The proxy for HTTPS, or `none` [HTTPS_PROXY, ALL_PROXY, NO_PROXY, as curl reads them].
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<String>,
    /// Ask this nameserver instead of the system's resolver; repeat for more.
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub nameserver: Vec<String>,
    /// Dial ADDR:PORT for HOST:PORT, as curl does; HOST may be one address of a name.
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT")]
    pub connect_to: Vec<ConnectTo>,
    /// More trusted root certificates.
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// Patience for one operation.
    #[arg(long, value_name = "TIME", default_value = "5s", allow_hyphen_values = true, value_parser = crate::target::parse_duration)]
    pub timeout: Option<Duration>,
    /// Patience for the whole run.
    #[arg(long, value_name = "TIME", default_value = "30s", allow_hyphen_values = true, value_parser = crate::target::parse_duration)]
    pub deadline: Option<Duration>,
    /// Run again until the verdict is pass, for so long [default: one run].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = crate::target::parse_duration)]
    pub wait: Option<Duration>,
    /// Only these checks and what they stand on; globs, repeatable.
    #[arg(long, value_name = "ID")]
    pub only: Vec<String>,
    /// Not these checks; globs, repeatable.
    #[arg(long, value_name = "ID")]
    pub skip: Vec<String>,
    /// What makes the exit status 1.
    #[arg(long, value_enum, default_value_t = FailOn::Fail)]
    pub fail_on: FailOn,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub common: Common,
}

impl CheckArgs {
    /// Whether something is read from standard input, which may take as long as a person takes.
    pub fn reads_stdin(&self) -> bool {
        [&self.token_file, &self.reported].into_iter().flatten().any(|path| path.as_os_str() == "-")
    }
}

#[derive(Args, Clone, Default)]
pub struct OutputArgs {
    /// text or json, as FORMAT or FORMAT=FILE; repeat for several [default: text].
    #[arg(long, value_name = "FORMAT[=FILE]")]
    pub format: Vec<String>,
    /// Where the format without a file goes [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// More evidence; twice for all of it.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// The verdict only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Args, Clone, Default)]
pub struct Common {
    /// A directory shaped like checks/ with more checks and causes, or replacements; repeatable.
    #[arg(long, value_name = "DIR")]
    pub checks: Vec<PathBuf>,
    /// Colours [NO_COLOR, CLICOLOR_FORCE].
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    pub color: ColorArg,
}

/// Completions of this command line for a shell.
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "entra-preflight", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    #[default]
    Fail,
    Warn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CredentialArg {
    Auto,
    TokenFile,
    ClientSecret,
    ClientCertificate,
    WorkloadIdentity,
    ManagedIdentity,
    AzureCli,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TopologyArg {
    #[default]
    Auto,
    Public,
    Vnet,
    PrivateEndpoint,
}

impl TopologyArg {
    pub fn topology(self) -> Option<Topology> {
        match self {
            TopologyArg::Auto => None,
            TopologyArg::Public => Some(Topology::Public),
            TopologyArg::Vnet => Some(Topology::Vnet),
            TopologyArg::PrivateEndpoint => Some(Topology::PrivateEndpoint),
        }
    }
}
