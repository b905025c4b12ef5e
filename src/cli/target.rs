//! From options and environment to a target: every rule checked, every file read, before the first packet.

use std::io::Read;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::file::open;
use super::{CheckArgs, credential, reported};
use crate::catalogue::Catalogue;
use crate::cloud::Cloud;
use crate::evidence::CaFile;
use crate::rules::{clip, is_guid, is_local_authority, is_tenant};
use crate::stage::Stage;
use crate::target::environment::{self, variable};
use crate::target::{
    DEADLINE, Invalid, METADATA, Server, Source, TIMEOUT, Target, parse_nameserver, parse_port, parse_server,
};
use crate::verb::{LOGIN, TOKEN};

const PEM_FILE: u64 = 16 * 1024 * 1024;
const CLOUD_FILE: u64 = 1024 * 1024;

/// Validates what `check` was given.
///
/// # Errors
/// One sentence: what was given, the rule, and the way out.
pub fn target(mut args: CheckArgs, catalogue: &Catalogue) -> Result<Target, Invalid> {
    if let Some(name) = environment::unreadable() {
        // Its bytes may be a secret's: they are not shown.
        return Err(Invalid(format!(
            "{name} is no valid UTF-8, so what it asks for is not known; correct it or unset it"
        )));
    }
    // An option wins over its variable; an empty variable counts as unset.
    for (option, name) in [
        (&mut args.user, "PGUSER"),
        (&mut args.database, "PGDATABASE"),
        (&mut args.client_id, "AZURE_CLIENT_ID"),
        (&mut args.tenant, "AZURE_TENANT_ID"),
    ] {
        *option = option.take().or_else(|| variable(name));
    }
    let stdin = |path: &Option<std::path::PathBuf>| path.as_deref() == Some(Path::new("-"));
    for (option, path) in [("--token-file", &args.token_file), ("--reported", &args.reported)] {
        if args.wait.is_some() && stdin(path) {
            return Err(Invalid(format!(
                "--wait reads its inputs anew for every run, and standard input can be read once; name a file with {option}"
            )));
        }
    }
    // An identity that is named by another id is not named by the variable.
    if args.object_id.is_some() || args.resource_id.is_some() {
        args.client_id = None;
    }
    let server = server(&args)?;
    for (what, value, longest) in [
        ("--user", &args.user, 1024),
        ("--database", &args.database, 1024),
        ("--principal", &args.principal, 1024),
        ("--role", &args.role, 1024),
    ] {
        name(what, value.as_deref(), longest)?;
    }
    if let Some(client_id) = args.client_id.as_deref().filter(|id| !is_guid(id)) {
        return Err(Invalid(format!(
            "the client id `{}` is not a GUID; --client-id (AZURE_CLIENT_ID) takes the application id of the identity",
            clip(client_id)
        )));
    }
    if let Some(tenant) = args.tenant.as_deref().filter(|tenant| !is_tenant(tenant)) {
        return Err(Invalid(format!(
            "the tenant `{}` is neither a GUID nor a domain; --tenant (AZURE_TENANT_ID) takes one of these",
            clip(tenant)
        )));
    }
    let credential = credential::asked(&args)?;
    if stdin(&args.reported) && stdin(&args.token_file) {
        return Err(Invalid(
            "--reported - and --token-file - both want standard input; give one of them a file".to_owned(),
        ));
    }
    let reported = args.reported.as_deref().map(reported::read).transpose()?;
    let (source, source_notes) = credential::source(&args, credential)?;
    credential::identity(&args, &source)?;
    let unused = credential::unused(credential, &source);
    for (option, patterns) in [("--only", &args.only), ("--skip", &args.skip)] {
        patterns.iter().try_for_each(|pattern| chooses(option, pattern, catalogue))?;
    }
    let chosen = catalogue.chosen(&args.only, &args.skip);
    if matches!(source, Source::Application { .. })
        && chosen.iter().any(|check| check.target == TOKEN)
        && !args.only.is_empty()
    {
        // An application gets its token from the login host: the way there is a prerequisite of the token.
        let way = catalogue.checks.iter().filter(|check| check.stage == Stage::Https && check.target == LOGIN);
        args.only.extend(way.map(|check| check.id.clone()));
    }
    if chosen.is_empty() {
        return Err(Invalid("--only and --skip together leave no check; `entra-preflight list` names them".to_owned()));
    }
    let roots = roots(args.ca_file.as_deref())?;
    let nameservers = args.nameserver.iter().map(|text| parse_nameserver(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(Target {
        cloud: cloud(args.cloud.as_deref(), server.as_ref(), catalogue)?,
        user: args.user,
        principal: args.principal,
        role: args.role,
        database: args.database.unwrap_or_else(|| "postgres".to_owned()),
        topology: args.topology.topology(),
        credential,
        source,
        source_notes,
        unused,
        client_id: args.client_id,
        object_id: args.object_id,
        resource_id: args.resource_id,
        tenant: args.tenant,
        nameservers: (!nameservers.is_empty()).then_some(nameservers),
        connect_to: args.connect_to,
        proxies: environment::proxies(args.proxy.as_deref())?,
        roots_file: roots_file(),
        ca_file: args.ca_file.as_deref().map(|path| ca_file(path, &roots)),
        token_file: args.token_file.filter(|path| path != Path::new("-")).map(|path| absolute(&path)),
        roots,
        metadata: metadata()?,
        timeout: args.timeout.unwrap_or(TIMEOUT),
        deadline: args.deadline.unwrap_or(DEADLINE),
        only: args.only,
        skip: args.skip,
        reported,
        inherited: environment::inherited(),
        system_nameservers: Vec::new(),
        resolver_notes: Vec::new(),
        stub_upstreams: Vec::new(),
        server,
    })
}

fn server(args: &CheckArgs) -> Result<Option<Server>, Invalid> {
    let inherited = variable("PGHOST").filter(|_| args.server.is_none());
    // libpq takes sockets and lists; neither is a flexible server. They are told by a check, not refused.
    if inherited.as_deref().is_some_and(|text| text.starts_with(['/', '@']) || text.contains(',')) {
        return Ok(None);
    }
    let Some(text) = args.server.clone().or(inherited) else { return Ok(None) };
    let port = match variable("PGPORT") {
        Some(port) => parse_port(&port, "PGPORT")?,
        None => 5432,
    };
    parse_server(&text, port).map(Some)
}

fn name(what: &str, value: Option<&str>, longest: usize) -> Result<(), Invalid> {
    let Some(value) = value else { return Ok(()) };
    if value.is_empty() {
        return Err(Invalid(format!("{what} is empty; leave it out or name one")));
    }
    if value.len() > longest {
        return Err(Invalid(format!("{what} has {} bytes; at most {longest} are sent", value.len())));
    }
    if value.contains('\0') {
        return Err(Invalid(format!("{what} holds a NUL, which ends a name in the PostgreSQL protocol")));
    }
    Ok(())
}

fn chooses(option: &str, pattern: &str, catalogue: &Catalogue) -> Result<(), Invalid> {
    if catalogue.checks.iter().any(|check| crate::catalogue::glob(pattern, &check.id)) {
        return Ok(());
    }
    let known: Vec<&str> = catalogue.checks.iter().map(|check| check.id.as_str()).collect();
    Err(Invalid(format!(
        "{option} {}: no check has this id; the choices are: {} (globs such as 'dns.*' work)",
        clip(pattern),
        known.join(", ")
    )))
}

/// The cloud that was named, or the one to which the authority or the server belongs.
fn cloud(named: Option<&str>, server: Option<&Server>, catalogue: &Catalogue) -> Result<Cloud, Invalid> {
    if let Some(name) = named {
        if let Some(cloud) = catalogue.cloud(name) {
            return Ok(cloud.clone());
        }
        let known: Vec<&str> = catalogue.clouds.iter().map(|cloud| cloud.name.as_str()).collect();
        if !name.ends_with(".toml") {
            return Err(Invalid(format!(
                "--cloud {}: the choices are: {}, or a FILE.toml",
                clip(name),
                known.join(", ")
            )));
        }
        let mut text = String::new();
        open(Path::new(name), "--cloud")?
            .take(CLOUD_FILE)
            .read_to_string(&mut text)
            .map_err(|error| Invalid(format!("--cloud {name}: {error}")))?;
        let mut cloud =
            Cloud::parse(&text).map_err(|error| Invalid(format!("--cloud {name}: {}", error.trim_end())))?;
        cloud.text = Some(text);
        return Ok(cloud);
    }
    if let Some(authority) = variable("AZURE_AUTHORITY_HOST") {
        let host = authority_host(&authority)?;
        let known: Vec<&str> = catalogue.clouds.iter().map(|cloud| cloud.login_host.as_str()).collect();
        return catalogue.clouds.iter().find(|cloud| cloud.has_authority(host)).cloned().ok_or_else(|| {
            Invalid(format!(
                "AZURE_AUTHORITY_HOST `{}` is of no known cloud ({}); describe its cloud with --cloud FILE.toml",
                clip(&authority),
                known.join(", ")
            ))
        });
    }
    let of_server = server.and_then(|server| catalogue.cloud_of(&server.host));
    let cloud = of_server.or_else(|| catalogue.cloud("public"));
    cloud.cloned().ok_or_else(|| Invalid("the catalogue has no cloud named `public`; pass --cloud".to_owned()))
}

/// The host of AZURE_AUTHORITY_HOST, as the Azure SDKs read it: `https://` and the host, or the host alone.
fn authority_host(authority: &str) -> Result<&str, Invalid> {
    let (scheme, rest) = authority.split_once("://").unwrap_or(("https", authority));
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let host = host.strip_suffix(":443").unwrap_or(host);
    if !scheme.eq_ignore_ascii_case("https") || crate::rules::check_host(host).is_err() {
        return Err(Invalid(format!(
            "AZURE_AUTHORITY_HOST `{}` is not an https:// URL of a host alone, such as https://login.microsoftonline.com; correct it or unset it",
            clip(authority)
        )));
    }
    Ok(host)
}

fn roots(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let wrong = |rule: String| Invalid(format!("--ca-file {}: {rule}", path.display()));
    let mut text = Vec::new();
    open(path, "--ca-file")?.take(PEM_FILE).read_to_end(&mut text).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(format!("not a PEM file of certificates ({error})")))?;
    let readable = |der: &CertificateDer<'_>| {
        use x509_parser::prelude::{FromDer, X509Certificate};
        X509Certificate::from_der(der).is_ok()
    };
    if let Some(place) = found.iter().position(|der| !readable(der)) {
        return Err(wrong(format!("its certificate number {} cannot be read", place + 1)));
    }
    if found.is_empty() {
        return Err(wrong("it holds no certificate (PEM, -----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(found)
}

fn ca_file(path: &Path, roots: &[CertificateDer<'static>]) -> CaFile {
    let subject = |der: &CertificateDer<'_>| {
        use x509_parser::prelude::{FromDer, X509Certificate};
        X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate.subject().to_string())
    };
    CaFile { path: absolute(path), subjects: roots.iter().take(200).filter_map(subject).collect() }
}

/// A file of trusted roots that libpq can read: OpenSSL's variable, else where distributions keep theirs.
fn roots_file() -> Option<String> {
    let places = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    let known = || places.into_iter().find(|place| Path::new(place).is_file()).map(str::to_owned);
    variable("SSL_CERT_FILE").map(|path| absolute(Path::new(&path))).or_else(known)
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Where managed identity is asked: the link-local address, or what AZURE_POD_IDENTITY_AUTHORITY_HOST names.
fn metadata() -> Result<String, Invalid> {
    let Some(named) = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST") else { return Ok(METADATA.to_owned()) };
    let wrong = || {
        Invalid(format!(
            "AZURE_POD_IDENTITY_AUTHORITY_HOST `{}` must be http:// and the address of this machine or its network \
             (127.0.0.1, 169.254.169.254, …); unset it to ask {METADATA}",
            clip(&named)
        ))
    };
    let rest = named.trim_end_matches('/').strip_prefix("http://").ok_or_else(wrong)?;
    // A token comes back from there in clear: never from beyond the local network.
    if !is_local_authority(rest) {
        return Err(wrong());
    }
    Ok(format!("http://{rest}"))
}
