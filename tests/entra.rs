//! Every AADSTS code that is known, code by code through the real program: the same request, the cause that its number names.

use lab::scenario::{Entra, From, Printed, Scenario};
use lab::story::Story;

use crate::stories;

const AT_ONCE: usize = 8;

const IDENTITY: &[&str] = &["identity"];
const LOCATION: &[&str] = &["identity", "route_table"];
const SERVICE: &[&str] = &["service"];

/// The OAuth error that comes with the codes, the codes, the cause, its controls, and whether that is certain (or narrowed, with two).
type Row = (&'static str, &'static [u32], &'static str, &'static [&'static str], bool);

/// Codes that an application meets.
const APPLICATION: &[Row] = &[
    ("unauthorized_client", &[700_016], "unknown-application", IDENTITY, true),
    ("invalid_request", &[90002], "unknown-tenant", IDENTITY, true),
    ("invalid_request", &[50059, 50194], "tenant-not-named", IDENTITY, true),
    ("invalid_request", &[90038, 900_382, 900_432, 50049], "wrong-authority", IDENTITY, true),
    ("unauthorized_client", &[7_000_112], "application-disabled", IDENTITY, true),
    ("invalid_request", &[100_007], "regional-endpoint", &["host"], false),
    ("invalid_client", &[7_000_215], "wrong-secret", IDENTITY, true),
    ("invalid_client", &[7_000_222], "expired-secret", IDENTITY, true),
    ("invalid_client", &[7_000_218], "no-proof", IDENTITY, true),
    ("invalid_client", &[700_027, 50012, 50017, 700_030], "wrong-certificate", IDENTITY, true),
    ("invalid_client", &[700_023], "assertion-audience", IDENTITY, true),
    ("invalid_client", &[50013, 50027], "assertion-invalid", IDENTITY, false),
    ("invalid_client", &[70021], "no-federation", IDENTITY, true),
    ("invalid_client", &[700_211, 700_212, 700_213, 700_229], "no-federation", IDENTITY, false),
    ("invalid_request", &[90061], "issuer-unreachable", IDENTITY, true),
    ("invalid_resource", &[50001], "unknown-resource", IDENTITY, true),
    ("invalid_resource", &[650_057], "unknown-resource", IDENTITY, false),
    ("invalid_resource", &[500_011, 650_052], "resource-not-in-tenant", IDENTITY, true),
    ("invalid_scope", &[70011, 901_002], "wrong-scope", IDENTITY, true),
    ("invalid_scope", &[1_002_012, 28000, 28002, 28003], "wrong-scope", IDENTITY, false),
    ("invalid_request", &[900_144, 9_002_313, 90013, 90014], "malformed-request", &["identity", "proxy"], false),
    ("invalid_grant", &[53000, 53001, 53002, 53003], "conditional-access", LOCATION, true),
    ("invalid_grant", &[50131], "device-required", IDENTITY, false),
    ("invalid_grant", &[530_032, 530_034, 530_035], "tenant-policy", IDENTITY, false),
    ("invalid_request", &[50002, 500_021, 500_022], "tenant-restriction", &["proxy"], true),
    ("invalid_request", &[500_212, 500_213, 1_000_104], "cross-tenant-policy", IDENTITY, true),
    ("temporarily_unavailable", &[90055, 50196], "entra-throttled", SERVICE, true),
    ("temporarily_unavailable", &[90033, 90036, 90024], "entra-unavailable", SERVICE, true),
    ("invalid_request", &[7_000_114], "refused", IDENTITY, false),
    // No code that is known: the OAuth error, the more general word.
    ("invalid_scope", &[], "wrong-scope", IDENTITY, false),
    ("invalid_resource", &[7_999_999], "unknown-resource", IDENTITY, true),
    ("temporarily_unavailable", &[], "entra-unavailable", SERVICE, true),
    ("invalid_client", &[], "refused", IDENTITY, false),
];

/// Codes that a user meets, told by the Azure CLI.
const USER: &[Row] = &[
    (
        "",
        &[70000, 70008, 700_082, 70043, 50173, 50132, 50133, 50058, 70018, 70019, 70020],
        "sign-in-again",
        IDENTITY,
        true,
    ),
    ("", &[50072, 50074, 50076, 50078, 50079, 50158], "interaction-required", IDENTITY, true),
    ("", &[53004], "interaction-required", IDENTITY, false),
    ("", &[50097, 50129, 50005], "device-required", IDENTITY, true),
    ("", &[50057, 50053], "account-disabled", IDENTITY, true),
    ("", &[50126, 50055, 50144], "wrong-password", IDENTITY, true),
    ("", &[50034, 50020, 90072], "user-not-in-tenant", IDENTITY, true),
    ("", &[50105], "not-assigned", IDENTITY, true),
    ("", &[65001, 90093, 90094], "no-consent", IDENTITY, true),
    ("", &[65002], "no-consent", IDENTITY, false),
    ("", &[7_000_215, 7_000_222], "cli-secret", IDENTITY, true),
];

#[test]
fn every_code_names_its_cause() {
    let mut told = Vec::new();
    for (rows, from) in [(APPLICATION, From::ClientSecret), (USER, From::AzureCli)] {
        for row in rows {
            let codes = if row.1.is_empty() { vec![None] } else { row.1.iter().copied().map(Some).collect() };
            told.extend(codes.into_iter().map(|code| story(row, code, from)));
        }
    }
    stories::tell(&told, stories::seed(), AT_ONCE, |story| lab::run::story(stories::program(), story, stories::seed()));
}

fn story(row: &Row, code: Option<u32>, from: From) -> Story {
    let (error, _, cause, controls, sure) = *row;
    let certainty = match (sure, controls.len()) {
        (false, _) => "suspected",
        (true, 1) => "certain",
        (true, _) => "narrowed",
    };
    let expected = format!(
        "story = ''\nquestion = 'token'\nwhy = ''\n[expect]\nverdict = 'fail'\nchecks = {{ 'token.acquire' = 'fail', 'https.login' = 'pass' }}\n\
         [[expect.diagnosis]]\ncause = 'token/{cause}'\ncontrols = {controls:?}\ncertainty = '{certainty}'\nseverity = 'fail'\n"
    );
    let mut scenario = Scenario::parse(&expected).expect("a story");
    scenario.token.from = from;
    let name = code.map_or_else(|| error.to_owned(), |code| format!("AADSTS{code}"));
    match from {
        From::AzureCli => {
            scenario.az.exit = 1;
            scenario.az.stdout = Printed::Nothing;
            scenario.az.stderr = format!("ERROR: {name}: Words that change from year to year.");
        }
        _ => {
            let description = "Words that change from year to year.".to_owned();
            scenario.entra =
                Entra { error: error.to_owned(), codes: code.into_iter().collect(), description, ..Entra::default() };
        }
    }
    Story { name, scenario }
}
