//! Which credential: what was asked for, or the first that the environment offers, and why not those before it.

use std::io::Read;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::file::open;
use super::{CheckArgs, CredentialArg};
use crate::rules::{clip, is_guid, is_local_authority};
use crate::secret::Secret;
use crate::target::environment::variable;
use crate::target::{Credential, GivenToken, Invalid, Proof, SigningKey, Source};

/// Longer than any token by far; a larger file is a mistake.
const TOKEN_FILE: u64 = 1024 * 1024;
const PEM_FILE: u64 = 1024 * 1024;
/// Azure Arc's agent: where it is, its endpoint is there without any variable.
const ARC_AGENT: &str = "/opt/azcmagent/bin/himds";
/// The endpoint of Azure Arc's agent.
const ARC: &str = "http://localhost:40342/metadata/identity/oauth2/token";

pub(super) fn asked(args: &CheckArgs) -> Result<Credential, Invalid> {
    let credential = match args.credential {
        None if args.token_file.is_some() => Credential::TokenFile,
        None | Some(CredentialArg::Auto) => Credential::Auto,
        Some(CredentialArg::TokenFile) => Credential::TokenFile,
        Some(CredentialArg::ClientSecret) => Credential::ClientSecret,
        Some(CredentialArg::ClientCertificate) => Credential::ClientCertificate,
        Some(CredentialArg::WorkloadIdentity) => Credential::WorkloadIdentity,
        Some(CredentialArg::ManagedIdentity) => Credential::ManagedIdentity,
        Some(CredentialArg::AzureCli) => Credential::AzureCli,
        Some(CredentialArg::None) => Credential::None,
    };
    if args.token_file.is_some() && !matches!(credential, Credential::Auto | Credential::TokenFile) {
        return Err(Invalid(format!(
            "--token-file and --credential {} contradict each other; drop one of them",
            credential.name()
        )));
    }
    Ok(credential)
}

/// The source of the token, and in `auto` why it is this one.
pub(super) fn source(args: &CheckArgs, credential: Credential) -> Result<(Source, Vec<String>), Invalid> {
    let source = match credential {
        Credential::Auto => return automatic(args),
        Credential::TokenFile => given(args)?.map(Source::Given).ok_or_else(|| {
            Invalid(
                "--credential token-file needs a token; name its file with --token-file, or set PGPASSWORD".to_owned(),
            )
        })?,
        Credential::ClientSecret => secret(args)?.ok_or_else(|| lacks(credential, "AZURE_CLIENT_SECRET"))?,
        Credential::ClientCertificate => {
            certificate(args)?.ok_or_else(|| lacks(credential, "AZURE_CLIENT_CERTIFICATE_PATH"))?
        }
        Credential::WorkloadIdentity => {
            federated(args)?.ok_or_else(|| lacks(credential, "AZURE_FEDERATED_TOKEN_FILE"))?
        }
        Credential::ManagedIdentity => platform()?.unwrap_or(Source::ManagedIdentity),
        Credential::AzureCli => Source::AzureCli,
        Credential::None => Source::None,
    };
    Ok((source, Vec::new()))
}

fn lacks(credential: Credential, name: &str) -> Invalid {
    Invalid(format!("--credential {} needs {name}, which is not set", credential.name()))
}

/// The first that the environment offers, in the order of the contract.
fn automatic(args: &CheckArgs) -> Result<(Source, Vec<String>), Invalid> {
    let mut notes = Vec::new();
    if let Some(given) = given_automatically(args)? {
        return Ok((Source::Given(given), notes));
    }
    notes.push("no token was handed in".to_owned());
    type Offer = fn(&CheckArgs) -> Result<Option<Source>, Invalid>;
    let offers: [(&str, Offer); 3] = [
        ("AZURE_CLIENT_SECRET", secret),
        ("AZURE_CLIENT_CERTIFICATE_PATH", certificate),
        ("AZURE_FEDERATED_TOKEN_FILE", federated),
    ];
    for (name, offer) in offers {
        if variable(name).is_none() {
            notes.push(format!("{name} is not set"));
            continue;
        }
        if let Some(missing) = missing(args) {
            notes.push(format!("{name} is set, but {missing} is missing"));
            continue;
        }
        if let Some(source) = offer(args)? {
            return Ok((source, notes));
        }
    }
    if let Some(platform) = platform()? {
        notes.push(match &platform {
            Source::Arc { .. } => "Azure Arc's endpoint is named, or its agent is installed".to_owned(),
            _ => "IDENTITY_ENDPOINT and IDENTITY_HEADER are set".to_owned(),
        });
        return Ok((platform, notes));
    }
    Ok((Source::Whatever, notes))
}

/// What an application needs beside its proof.
fn missing(args: &CheckArgs) -> Option<&'static str> {
    if args.client_id.is_none() {
        return Some("a client id (--client-id, AZURE_CLIENT_ID)");
    }
    args.tenant.is_none().then_some("a tenant (--tenant, AZURE_TENANT_ID)")
}

fn application(args: &CheckArgs, proof: Proof) -> Result<Source, Invalid> {
    match (&args.client_id, &args.tenant) {
        (Some(client_id), Some(tenant)) => {
            Ok(Source::Application { client_id: client_id.clone(), tenant: tenant.clone(), proof })
        }
        _ => {
            let what = missing(args).unwrap_or("an identity");
            Err(Invalid(format!("an application signs in with a client id and a tenant, and {what} is missing")))
        }
    }
}

fn secret(args: &CheckArgs) -> Result<Option<Source>, Invalid> {
    let Some(secret) = variable("AZURE_CLIENT_SECRET") else { return Ok(None) };
    application(args, Proof::Secret(Secret::new(secret))).map(Some)
}

fn federated(args: &CheckArgs) -> Result<Option<Source>, Invalid> {
    let Some(path) = variable("AZURE_FEDERATED_TOKEN_FILE") else { return Ok(None) };
    let path = PathBuf::from(path);
    // Read once now, so that a missing or empty file is told before the first packet.
    assertion(&path)?;
    application(args, Proof::Federated(path)).map(Some)
}

/// The assertion of a federated token file.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn assertion(path: &Path) -> Result<Secret, Invalid> {
    let mut text = zeroize::Zeroizing::new(String::new());
    open(path, "AZURE_FEDERATED_TOKEN_FILE")?
        .take(TOKEN_FILE)
        .read_to_string(&mut text)
        .map_err(|error| Invalid(format!("AZURE_FEDERATED_TOKEN_FILE {}: {error}", path.display())))?;
    if text.trim().is_empty() {
        let path = path.display();
        return Err(Invalid(format!(
            "AZURE_FEDERATED_TOKEN_FILE {path} is empty; the platform writes an assertion there"
        )));
    }
    Ok(Secret::new(text.trim().to_owned()))
}

fn certificate(args: &CheckArgs) -> Result<Option<Source>, Invalid> {
    let Some(path) = variable("AZURE_CLIENT_CERTIFICATE_PATH") else { return Ok(None) };
    let wrong = |rule: &str| Invalid(format!("AZURE_CLIENT_CERTIFICATE_PATH {}: {rule}", clip(&path)));
    let mut text = zeroize::Zeroizing::new(Vec::new());
    open(Path::new(&path), "AZURE_CLIENT_CERTIFICATE_PATH")?
        .take(PEM_FILE)
        .read_to_end(&mut text)
        .map_err(|error| wrong(&error.to_string()))?;
    if text.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(wrong("its private key is encrypted; write it without a password (openssl pkcs8 -topk8 -nocrypt)"));
    }
    let certificate = CertificateDer::from_pem_slice(&text).map_err(|_| wrong("it holds no certificate (PEM)"))?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| {
        wrong("it holds no private key in PKCS #8 (-----BEGIN PRIVATE KEY-----) beside the certificate")
    })?;
    let key = zeroize::Zeroizing::new(key.secret_pkcs8_der().to_vec());
    if let Some(rule) = crate::target::assertion::unfit(&certificate, &key) {
        return Err(wrong(&rule));
    }
    application(args, Proof::Certificate(Box::new(SigningKey { certificate, key }))).map(Some)
}

/// What the platform's variables name, in the order of the Azure SDKs: App Service, Functions and Container Apps set an endpoint and a
/// header, Azure Arc an endpoint and IMDS_ENDPOINT; where Arc's agent is installed, its endpoint is known without them.
fn platform() -> Result<Option<Source>, Invalid> {
    let Some(endpoint) = variable("IDENTITY_ENDPOINT") else {
        return Ok(Path::new(ARC_AGENT).is_file().then(|| Source::Arc { endpoint: ARC.to_owned() }));
    };
    let header = variable("IDENTITY_HEADER");
    if header.is_none() && variable("IMDS_ENDPOINT").is_none() {
        return Ok(None);
    }
    let authority = endpoint.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    // A secret goes there and a token comes back in clear: never beyond this machine and its network.
    if !authority.is_some_and(is_local_authority) {
        return Err(Invalid(format!(
            "IDENTITY_ENDPOINT `{}` must be http:// and an address of this machine or its network; unset it to ask the VM's own service",
            clip(&endpoint)
        )));
    }
    Ok(Some(match header {
        Some(header) => Source::AppService { endpoint, header: Secret::new(header) },
        None => Source::Arc { endpoint },
    }))
}

/// Which managed identity is asked for, by an id that is no client id.
pub(super) fn identity(args: &CheckArgs, source: &Source) -> Result<(), Invalid> {
    if let Some(id) = args.object_id.as_deref().filter(|id| !is_guid(id)) {
        return Err(Invalid(format!(
            "the object id `{}` is not a GUID; --object-id takes the principal id of a managed identity",
            clip(id)
        )));
    }
    if let Some(id) = args.resource_id.as_deref().filter(|id| !is_identity(id)) {
        return Err(Invalid(format!(
            "the resource id `{}` is no user-assigned identity's; --resource-id takes \
             /subscriptions/…/resourceGroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME",
            clip(id)
        )));
    }
    let other = args.object_id.as_ref().map(|_| "--object-id").or(args.resource_id.as_ref().map(|_| "--resource-id"));
    let managed = matches!(source, Source::ManagedIdentity | Source::AppService { .. } | Source::Whatever);
    if let Some(option) = other.filter(|_| !managed) {
        return Err(Invalid(format!(
            "{option} chooses a managed identity of Azure or App Service, and the token comes from elsewhere; drop it, or add --credential managed-identity"
        )));
    }
    if matches!(source, Source::Arc { .. }) && args.client_id.is_some() {
        return Err(Invalid(
            "Azure Arc has no identity but its own, and a client id names another; drop --client-id (AZURE_CLIENT_ID)"
                .to_owned(),
        ));
    }
    Ok(())
}

/// A user-assigned identity as Azure Resource Manager names it.
fn is_identity(id: &str) -> bool {
    let parts: Vec<String> = id.split('/').map(str::to_ascii_lowercase).collect();
    let plain = |part: &String| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    let [
        "",
        "subscriptions",
        subscription,
        "resourcegroups",
        group,
        "providers",
        "microsoft.managedidentity",
        "userassignedidentities",
        name,
    ] = parts.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return false;
    };
    id.len() <= 1024 && [subscription, group, name].iter().all(|part| plain(&(*part).to_owned()))
}

/// In `auto`: the variables of other credentials that are set as well. Other programs may take those.
pub(super) fn unused(credential: Credential, source: &Source) -> Vec<String> {
    let used = match source {
        Source::Application { proof: Proof::Secret(_), .. } => "AZURE_CLIENT_SECRET",
        Source::Application { proof: Proof::Certificate(_), .. } => "AZURE_CLIENT_CERTIFICATE_PATH",
        Source::Application { proof: Proof::Federated(_), .. } => "AZURE_FEDERATED_TOKEN_FILE",
        _ => return Vec::new(),
    };
    let all = ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"];
    let others = all.into_iter().filter(|name| *name != used && variable(name).is_some());
    others.filter(|_| credential == Credential::Auto).map(str::to_owned).collect()
}

fn given(args: &CheckArgs) -> Result<Option<GivenToken>, Invalid> {
    if let Some(path) = &args.token_file {
        return Ok(Some(GivenToken { source: "token-file", secret: token_file(path)? }));
    }
    let password = variable("PGPASSWORD");
    Ok(password.map(|text| GivenToken { source: "environment", secret: Secret::new(text.trim().to_owned()) }))
}

/// In `auto`, an ordinary password in PGPASSWORD is nobody's token.
fn given_automatically(args: &CheckArgs) -> Result<Option<GivenToken>, Invalid> {
    let given = given(args)?;
    Ok(given.filter(|given| given.source == "token-file" || has_jwt_form(given.secret.expose())))
}

fn has_jwt_form(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let base64url =
        |part: &&str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    parts.len() == 3 && parts.iter().all(base64url) && text.starts_with("ey")
}

fn token_file(path: &Path) -> Result<Secret, Invalid> {
    let shown =
        if path == Path::new("-") { "standard input".to_owned() } else { format!("the token file {}", path.display()) };
    let mut text = zeroize::Zeroizing::new(Vec::new());
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(TOKEN_FILE + 1).read_to_end(&mut text)
    } else {
        open(path, "--token-file")?.take(TOKEN_FILE + 1).read_to_end(&mut text)
    };
    read.map_err(|error| Invalid(format!("{shown} cannot be read: {error}")))?;
    if text.len() as u64 > TOKEN_FILE {
        return Err(Invalid(format!("{shown} is larger than {TOKEN_FILE} bytes; a token has a few thousand")));
    }
    let text = std::str::from_utf8(&text).map_err(|_| Invalid(format!("{shown} is not text; a token is ASCII")))?;
    // Whitespace and line ends around a token are what editors and `echo` leave, and so is a byte order mark.
    let token = text.trim_start_matches('\u{feff}').trim();
    if token.is_empty() {
        return Err(Invalid(format!("{shown} is empty; it must hold the token alone")));
    }
    Ok(Secret::new(token.to_owned()))
}
