//! Credentials of the environment that cannot work: each is told in one sentence before anything is asked, or told beside what was taken.

use std::path::Path;
use std::process::Command;

use crate::contract::{in_world, told, world};
use crate::stories;

const GUID: &str = "11111111-2222-4333-8444-555555555555";

fn openssl(directory: &Path, args: &[&str]) {
    let made = Command::new("openssl").current_dir(directory).args(args).output().expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn join(directory: &Path, parts: &[&str], name: &str) {
    let text: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(directory.join(part)).expect("a part")).collect();
    std::fs::write(directory.join(name), text).expect("a file");
}

/// The exit status and the sentence of a run that has only this environment.
fn refused(env: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(stories::program());
    command.env_clear().envs(env.iter().copied()).arg("check").args(args);
    let output = command.output().expect("the program starts");
    assert!(output.stdout.is_empty(), "something was printed: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn files_of_applications_are_told_before_anything_is_asked() {
    let made = tempfile::tempdir().expect("a directory");
    let directory = made.path();
    let subject = ["-subj", "/CN=application"];
    openssl(
        directory,
        &[
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"][..],
            &subject,
            &["-keyout", "key.pem", "-out", "alone.pem"],
        ]
        .concat(),
    );
    openssl(directory, &["pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:hidden-word", "-out", "locked.pem"]);
    openssl(directory, &[&["req", "-new", "-key", "key.pem"][..], &subject, &["-out", "request.pem"]].concat());
    openssl(
        directory,
        &["x509", "-req", "-in", "request.pem", "-signkey", "key.pem", "-days", "-1", "-out", "old.pem"],
    );
    openssl(directory, &["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "ec.pem"]);
    openssl(directory, &["pkcs8", "-topk8", "-nocrypt", "-in", "ec.pem", "-out", "curve.pem"]);
    join(directory, &["alone.pem", "locked.pem"], "encrypted.pem");
    join(directory, &["old.pem", "key.pem"], "expired.pem");
    join(directory, &["alone.pem", "curve.pem"], "other.pem");
    std::fs::write(directory.join("empty"), " \n").expect("a file");
    let ended = (time::OffsetDateTime::now_utc() - time::Duration::days(1)).date().to_string();
    for (variable, kind, file, named) in [
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate", "alone.pem", "no private key"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate", "key.pem", "no certificate"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate", "encrypted.pem", "encrypted"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate", "expired.pem", ended.as_str()),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate", "other.pem", "RSA"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate", "missing.pem", "missing.pem"),
        ("AZURE_FEDERATED_TOKEN_FILE", "workload-identity", "empty", "is empty"),
        ("AZURE_FEDERATED_TOKEN_FILE", "workload-identity", "missing", "missing"),
    ] {
        let path = directory.join(file).display().to_string();
        let env = [(variable, path.as_str()), ("AZURE_CLIENT_ID", GUID), ("AZURE_TENANT_ID", GUID)];
        // In `auto` as well: an environment that offers something broken is not passed over.
        for args in [&["--credential", kind][..], &[]] {
            let (status, said) = refused(&env, args);
            assert_eq!(status, Some(2), "{file}: {said}");
            let whole = said.lines().count() == 1 && said.contains(variable) && said.contains(named);
            assert!(whole && !said.contains("hidden-word"), "{file}: {said}");
        }
    }
}

#[test]
fn ids_of_identities_have_their_forms() {
    let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n";
    let arc = [("IDENTITY_ENDPOINT", "http://127.0.0.1:9/x"), ("IMDS_ENDPOINT", "http://127.0.0.1:9")];
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);
    let cases: [Case<'_>; 9] = [
        (&[], &["--client-id", "my-identity"], "my-identity"),
        (&[("AZURE_CLIENT_ID", "{client}")], &[], "{client}"),
        (&[], &["--object-id", "id-orders"], "id-orders"),
        (&[], &["--resource-id", "id-orders"], "id-orders"),
        (&[], &["--resource-id", "/subscriptions/s/resourceGroups/g"], "userAssignedIdentities"),
        (&[], &["--credential", "azure-cli", "--object-id", GUID], "--object-id"),
        (&[], &["--credential", "none", "--resource-id", resource], "--resource-id"),
        (&arc, &["--client-id", GUID], "Azure Arc"),
        (&[], &["--tenant", "two words"], "two words"),
    ];
    for (env, args, named) in cases {
        let (status, said) = refused(env, args);
        assert_eq!(status, Some(2), "{args:?}: {said}");
        assert!(said.contains(named), "{args:?}: {said}");
    }
    let (status, said) = refused(&[], &["--client-id", GUID, "--object-id", GUID]);
    assert!(status == Some(2) && said.contains("--object-id"), "{said}");
}

#[test]
fn a_second_credential_of_the_environment_is_told() {
    let made = tempfile::NamedTempFile::new().expect("a file");
    let mut world = world(&told("[token]\nfrom = \"client-secret\""));
    world.env.push(("AZURE_FEDERATED_TOKEN_FILE".to_owned(), made.path().display().to_string()));
    let run = in_world(&world, &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a report");
    let check = report["checks"].as_array().and_then(|all| all.iter().find(|check| check["id"] == "token.acquire"));
    let observed = check.and_then(|check| check["observed"].as_str()).unwrap_or_default();
    assert!(observed.contains("set too and not used: AZURE_FEDERATED_TOKEN_FILE"), "{observed}");
    assert_eq!(report["verdict"], "pass");
}

/// Who is busy says for how long, in seconds or until a date, and so does the diagnosis.
#[test]
fn a_diagnosis_says_how_long_a_busy_service_asks_to_wait() {
    let busy = "status = 429\nerror = \"temporarily_unavailable\"\nretry_after";
    for (story, said) in [
        (format!("[metadata]\n{busy} = \"180\""), "3 min"),
        (format!("[metadata]\n{busy} = \"Fri, 31 Dec 9999 23:59:59 GMT\""), "days"),
        (format!("[metadata]\n{busy} = \"99999999999999999999999\""), "days"),
        (format!("[token]\nfrom = \"client-secret\"\n[entra]\n{busy} = \"60\""), "60 s"),
    ] {
        let output = in_world(&world(&told(&story)), &["--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        let because = report["diagnoses"][0]["because"].to_string();
        let expected = format!("It asks to be left alone for {said}");
        let days = said == "days" && because.contains("It asks to be left alone for") && because.contains(" days");
        assert!(because.contains(&expected) || days, "{story}: {because}");
    }
}
