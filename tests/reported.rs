//! Error texts that somebody hands in: which are refused, which are known, and that their secrets show nowhere.

use std::process::{Command, Stdio};

use entra_preflight::catalogue::Catalogue;
use entra_preflight::evidence::{Detail, Observation, Operation, Reported, Stamp, Tool};
use entra_preflight::failure::Outcome;
use entra_preflight::report::Report;
use entra_preflight::terms::Certainty;
use lab::secrets::{Secret, leaks};

use crate::bad_input::all_refused;
use crate::contract::healthy;
use crate::stories;

#[test]
fn texts_that_cannot_be_read_are_refused() {
    all_refused(&[
        (&["--reported", "nowhere/error.txt"], &[], "nowhere/error.txt"),
        (&["--reported", "/"], &[], "/"),
        (&["--reported", "{dir}/empty"], &[], "empty"),
        (&["--reported", "{dir}/blank"], &[], "blank"),
        (&["--reported", "{dir}/binary.toml"], &[], "not text"),
        (&["--reported", "{dir}/huge"], &[], "65536 bytes"),
        (&["--reported", "{dir}/fifo.toml"], &[], "fifo.toml"),
        (&["--reported", "/dev/zero"], &[], "/dev/zero"),
        (&["--reported", "-"], &[], "standard input is empty"),
        (&["--reported", "-", "--token-file", "-"], &[], "both want standard input"),
    ]);
}

/// Judges a text alone: no packet, no world.
pub(crate) fn judged(catalogue: &Catalogue, text: &str) -> Report {
    let observation = Observation {
        subject: "reported".to_owned(),
        outcome: Outcome::Ok,
        error: None,
        at_ms: 0,
        duration_ms: 0,
        attempts: 1,
        operation: Operation::Reported,
        detail: Detail::Reported(Reported { bytes: text.len(), text: text.to_owned() }),
    };
    let tool = Tool { name: "entra-preflight".to_owned(), version: "0".to_owned() };
    let stamp = Stamp { tool, run_id: String::new(), started_at: String::new(), duration_ms: 0 };
    entra_preflight::judge(stamp, vec![observation], catalogue)
}

/// The cause of the reported text; an error if there is none or there are several.
fn cause(catalogue: &Catalogue, text: &str) -> Result<(String, Certainty), String> {
    let report = judged(catalogue, text);
    let mut causes = report.diagnoses.iter().filter(|one| one.explains.iter().any(|id| id == "login.reported"));
    match (causes.next(), causes.next()) {
        (Some(one), None) => Ok((one.cause.clone(), one.certainty)),
        (Some(one), Some(two)) => Err(format!("{text}: both {} and {}", one.cause, two.cause)),
        _ => Err(format!("{text}: no cause")),
    }
}

fn catalogue() -> Catalogue {
    Catalogue::load(&[] as &[&str]).expect("the embedded catalogue is valid")
}

/// What tools print, each in its own way, and the cause that a good engineer reads in it.
const KNOWN: &[(&str, &str)] = &[
    (
        "{\"status\":\"Failed\",\"error\":{\"code\":\"AadAuthOperationCannotBePerformedWhenServerIsNotAccessible\",\"message\":\"The server 'x' is not in an accessible state to perform Azure AD Principal operation.\"}}",
        "login/admin-server-not-ready",
    ),
    (
        "Deployment failed: {\\\"code\\\":\\\"AadAuthPrincipalCreationFailed\\\",\\\"message\\\":\\\"Failed to create Microsoft Entra principal. Reason: '42710: role \\\\\\\"app\\\\\\\" already exists'.\\\"}",
        "login/admin-role-exists",
    ),
    ("ERROR:  role \"app\" already exists", "login/admin-role-exists"),
    (
        "{\"message\":\"Cannot validate Microsoft Entra ID user \\u0022app\\u0022 because its name isn\\u0027t unique in the tenant.\"}",
        "login/create-not-unique",
    ),
    ("Reason: 'Updating an existing principal is not supported.'", "login/admin-principal-exists"),
    (
        "Failed to create Azure AD Principal. Reason - 0LP01: An unexpected error occured while trying to validate user.",
        "login/admin-validation",
    ),
    ("ERROR:  An unexpected error occurred while trying to validate user.", "login/admin-validation"),
    ("AadAuthPrincipalCreationFailed: 0LP01 Outcome: 30", "login/admin-outcome"),
    (
        "ERROR:  role \"app\" cannot be dropped because some objects depend on it\nDETAIL:  owner of table lines",
        "login/admin-objects-depend",
    ),
    (
        "An unexpected error occurred while processing the request. Tracking ID: 0a1b2c3d-0000-4000-8000-000000000001",
        "login/admin-tracking-id",
    ),
    (
        "(AuthorizationFailed) The client does not have authorization to perform action 'x'",
        "login/admin-not-authorized",
    ),
    ("Insufficient privileges to complete the operation.", "login/admin-graph-denied"),
    ("function pgaadauth_list_principals(boolean) does not exist", "login/create-no-function"),
    ("unrecognized configuration parameter \"aad_validate_oids_in_tenant\"", "login/create-single-server"),
    // Both generations of the server's wording, by several clients.
    (
        "FATAL: Azure AD user token for role[a@b.example] is neither an AAD_AUTH_TOKENTYPE_APP_USER or an AAD_AUTH_TOKENTYPE_APP_OBO token.",
        "login/service-token-for-user",
    ),
    (
        "Service principals cannot generate AAD_AUTH_TOKENTYPE_APP_USER tokens for role \"my-mi\"",
        "login/user-token-for-service",
    ),
    ("The access token has expired. Acquire a new token and try again.", "login/reported-token-expired"),
    (
        "Npgsql.PostgresException (0x80004005): 28P01: password authentication failed for user \"app\"",
        "login/reported-password",
    ),
    (
        "org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"app\"",
        "login/reported-password",
    ),
    (
        "FATAL:  no pg_hba.conf entry for host \"10.0.0.4\", user \"u\", database \"postgres\", SSL off",
        "login/reported-plain",
    ),
    (
        "Npgsql: 28000: no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", SSL encryption",
        "login/no-hba",
    ),
    ("FATAL:  role \"r\" is not permitted to log in", "login/no-login"),
    ("FATAL:  role \"r\" does not exist", "login/reported-no-role"),
    ("FATAL:  database \"nope\" does not exist", "login/no-database"),
    ("SQLSTATE: 42501 permission denied for database \"orders\"", "login/no-connect"),
    ("ERROR:  permission denied for schema public", "login/reported-no-privilege"),
    ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "login/full"),
    ("FATAL:  the database system is starting up", "login/starting-up"),
    (
        "FATAL:  terminating connection due to administrator command\nSSL connection has been closed unexpectedly",
        "login/terminated",
    ),
    ("server closed the connection: ERROR: client sent partial pkt in startup phase", "login/partial-packet"),
    ("pgbouncer: FATAL: no such user: app", "login/pooler-password"),
    ("Microsoft Entra authentication is not enabled", "login/entra-disabled-after-token"),
    ("password authentication is disabled", "login/password-disabled-after-token"),
    // Connections.
    ("java.net.UnknownHostException: db.postgres.database.azure.com", "login/reported-unresolved"),
    ("Error: getaddrinfo ENOTFOUND db.postgres.database.azure.com", "login/reported-unresolved"),
    ("dial tcp 10.0.1.4:5432: i/o timeout", "login/reported-timeout"),
    ("dial tcp 10.0.1.4:5432: connect: connection refused", "login/reported-refused"),
    (
        "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally",
        "login/reported-cut",
    ),
    ("SSL SYSCALL error: EOF detected", "login/reported-cut"),
    (
        "org.postgresql.util.PSQLException: SSL error: PKIX path building failed: unable to find valid certification path to requested target",
        "login/reported-untrusted",
    ),
    ("root certificate file \"/var/lib/app/.postgresql/root.crt\" does not exist", "login/reported-untrusted"),
    // The metadata service, as the SDKs tell it.
    (
        "ManagedIdentityCredential authentication failed: {\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}",
        "token/identity-not-found",
    ),
    (
        "http://169.254.169.254/metadata/identity: Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        "token/several-identities",
    ),
    // The Azure CLI.
    ("Interactive authentication is needed. Please run:\naz login --scope x/.default", "token/sign-in-again"),
    ("Can't find token from MSAL cache.", "token/sign-in-again"),
    (
        "HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded (Caused by ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication Required')))",
        "token/cli-proxy",
    ),
];

#[test]
fn texts_of_many_tools_get_their_cause() {
    let catalogue = catalogue();
    let wrong: Vec<String> = KNOWN
        .iter()
        .filter_map(|(text, wanted)| match cause(&catalogue, text) {
            Ok((found, _)) if found == *wanted => None,
            Ok((found, _)) => Some(format!("{text}: {found}, expected {wanted}")),
            Err(error) => Some(error),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every AADSTS number of the list ends in one cause, and none that is not sourced is certain.
#[test]
fn every_code_of_entra_gets_a_cause() {
    let catalogue = catalogue();
    let text = include_str!("../checks/words/entra.toml");
    let list: toml::Value = toml::from_str(text).expect("the list");
    let mut wrong = Vec::new();
    let mut codes = 0;
    for row in list["word"].as_array().expect("rows") {
        // A row with a text is for one of several meanings of its code.
        if row.get("text").is_some() {
            continue;
        }
        let sourced = row["mark"].as_str() == Some("S");
        let numbers = row.get("code").and_then(|codes| codes.as_array()).into_iter().flatten();
        for code in
            numbers.filter_map(|code| code.as_str()).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
        {
            codes += 1;
            match cause(&catalogue, &format!("ERROR: AADSTS{code}: a text that changes. Trace ID: x")) {
                Ok((found, _)) if found == "unexplained" => wrong.push(format!("AADSTS{code} is unexplained")),
                Ok((_, Certainty::Certain)) if !sourced => {
                    wrong.push(format!("AADSTS{code} is certain without a source"))
                }
                Ok(_) => {}
                Err(error) => wrong.push(error),
            }
        }
    }
    assert!(codes >= 80, "{codes} codes");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A command for another application, role or database than the text's would change the wrong one.
#[test]
fn commands_name_what_the_text_is_about() {
    let catalogue = catalogue();
    let of = |text: &str| serde_json::to_string(&judged(&catalogue, text).diagnoses).expect("JSON");
    let guid = "0a1b2c3d-0000-4000-8000-000000000001";
    let named = of(&format!("AADSTS7000222: The provided client secret keys for app '{guid}' are expired."));
    assert!(named.contains(&format!("credential reset --id {guid}")), "{named}");
    let unnamed = of("AADSTS7000222: The provided client secret keys are expired.");
    assert!(unnamed.contains("credential reset --id <client_id>"), "{unnamed}");
    assert!(of("FATAL:  database \"ordes\" does not exist").contains("The database ordes does not exist"));
    assert!(of("ERROR:  role \"app-1\" already exists").contains("rolname = 'app-1'"));
}

/// Ordinary words of errors without a meaning for a sign-in: nothing is guessed.
#[test]
fn unrelated_texts_are_not_recognised() {
    let catalogue = catalogue();
    for text in [
        "Segmentation fault (core dumped)",
        "(RoleAssignmentExists) The role assignment already exists.",
        "npm ERR! connect ETIMEDOUT 104.16.3.35:443",
        "curl: (7) Failed to connect to localhost port 8080: Connection refused",
        "npm ERR! code ELIFECYCLE",
        "The role of the committee is not permitted to change",
        "Created role for \"app\"",
        "Your login was successful. Welcome!",
        "FEHLER:  Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen",
    ] {
        let report = judged(&catalogue, text);
        let check = report.checks.iter().find(|check| check.id == "login.reported").expect("the check");
        assert_eq!(format!("{:?}", check.status), "Unknown", "{text}: {}", check.observed);
    }
}

/// Whatever form a secret has in the text, it is in no output.
#[test]
fn secrets_of_a_reported_text_show_nowhere() {
    let part = |seed: &str| -> String {
        let letters = b"kJ8sVq0Zt3xYpWn5Rb7LcMd1Fg9HhTe4Ua2";
        (0..48).map(|at| char::from(letters[(at * 7 + seed.len() * 11 + at / 5) % letters.len()])).collect()
    };
    let (head, body, tail) = (part("a"), part("bb"), part("cccc"));
    let jwt = format!("eyJ{head}.eyJ{body}.{tail}");
    let plain = "vq7-Rm2_Kt9-Zx4_Wn8-Pd3";
    let secret = |text: &str| Secret { name: "reported secret", text: text.to_owned(), may: Vec::new(), times: 0 };
    let texts: Vec<(String, String)> = vec![
        (format!("FATAL: bad token {jwt} given"), jwt.clone()),
        (format!("az account get-access-token\n{{\n  \"accessToken\": \"{jwt}\",\n"), jwt.clone()),
        (format!("token: {}\n{} was refused", &jwt[..70], &jwt[70..]), jwt.clone()),
        (format!("the signature {tail} does not fit"), tail.clone()),
        (format!("curl -H 'Authorization: Bearer {plain}' failed"), plain.to_owned()),
        (format!("could not connect to postgresql://app:{plain}@db.example:5432/postgres"), plain.to_owned()),
        (format!("ProxyError: http://svc:{plain}@proxy.example:3128 said 407"), plain.to_owned()),
        (format!("psql \"host=db user=app password='{plain}'\" failed"), plain.to_owned()),
        (format!("Host=db;Username=app;Password={plain};Ssl Mode=Require"), plain.to_owned()),
        (format!("az login --service-principal -u x -p {plain} --tenant y"), plain.to_owned()),
        (format!("body: grant_type=client_credentials&client_secret={plain}&scope=x"), plain.to_owned()),
        (format!("{{\\\"client_secret\\\":\\\"{plain}\\\"}} AADSTS7000215"), plain.to_owned()),
        (format!("ARM_CLIENT_SECRET={plain} terraform apply"), plain.to_owned()),
        (format!("https://x.blob.core.windows.net/y?sv=1&sig={plain}&se=2"), plain.to_owned()),
        (format!("-----BEGIN PRIVATE KEY-----\n{plain}\n{tail}\n-----END PRIVATE KEY-----"), plain.to_owned()),
    ];
    let world = healthy();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("error.txt");
    for (text, hidden) in texts {
        std::fs::write(&file, &text).expect("a file");
        let mut program = Command::new(stories::program());
        program.env_clear().envs(world.env.iter().map(|(name, value)| (name, value)));
        program
            .args(&world.args)
            .args(["--only", "login.reported", "-vv", "--format", "json", "--reported"])
            .arg(&file);
        let page = directory.path().join("page");
        program.arg("--format").arg(format!("text={}", page.display())).stdin(Stdio::null());
        let output = program.output().expect("the program starts");
        assert!(!output.stdout.is_empty(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        let page = std::fs::read(&page).expect("the page");
        let said: [(&str, &[u8]); 3] =
            [("the report", &output.stdout), ("standard error", &output.stderr), ("the page", &page)];
        let found = leaks(&[secret(&hidden)], &said, &world.received());
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}
