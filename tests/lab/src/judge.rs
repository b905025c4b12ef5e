//! Compares a report with what a story expects, and with what the contract promises of every report. Differences are sentences.

use serde_json::Value;

use crate::scenario::Expect;

/// Everything in which the report and the exit status differ from the story.
pub fn against_story(expect: &Expect, report: &Value, exit: Option<i32>) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = text(&report["verdict"]);
    if let Some(wanted) = expect.verdict.as_ref().filter(|wanted| *wanted != verdict) {
        wrong.push(format!("the verdict is {verdict}, expected {wanted}"));
    }
    let wanted = expect.exit.or_else(|| expect.verdict.as_deref().and_then(exit_of));
    if wanted.is_some() && wanted != exit {
        wrong.push(format!("the exit status is {}, expected {}", shown(exit), shown(wanted)));
    }
    for (id, status) in &expect.checks {
        match list(&report["checks"]).iter().find(|check| text(&check["id"]) == id) {
            Some(check) if text(&check["status"]) == status => {}
            Some(check) => wrong.push(format!(
                "the check {id} is {} ({}), expected {status}",
                text(&check["status"]),
                text(&check["observed"])
            )),
            None => wrong.push(format!("there is no check {id}")),
        }
    }
    let given = list(&report["diagnoses"]);
    for (place, wanted) in expect.diagnosis.iter().enumerate() {
        let Some(diagnosis) = given.get(place) else {
            wrong.push(format!("the diagnosis {} is missing", wanted.cause));
            continue;
        };
        let cause = text(&diagnosis["cause"]);
        if cause != wanted.cause {
            wrong.push(format!(
                "diagnosis {} is {cause} (“{}”), expected {}",
                place + 1,
                text(&diagnosis["summary"]),
                wanted.cause
            ));
            continue;
        }
        let controls = words(&diagnosis["controls"]);
        if controls != wanted.controls.iter().map(String::as_str).collect::<Vec<_>>() {
            wrong.push(format!(
                "{cause} names the controls [{}], expected [{}]",
                controls.join(", "),
                wanted.controls.join(", ")
            ));
        }
        for (key, wanted) in [("certainty", &wanted.certainty), ("severity", &wanted.severity)] {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != text(&diagnosis[key])) {
                wrong.push(format!("the {key} of {cause} is {}, expected {wanted}", text(&diagnosis[key])));
            }
        }
        let because = words(&diagnosis["because"]);
        for wanted in wanted.because.iter().filter(|wanted| !because.iter().any(|line| line.contains(*wanted))) {
            wrong.push(format!("{cause} does not say “{wanted}”, but: {}", because.join(" / ")));
        }
    }
    for more in given.iter().skip(expect.diagnosis.len()) {
        wrong.push(format!(
            "the diagnosis {} (“{}”, severity {}) is not expected",
            text(&more["cause"]),
            text(&more["summary"]),
            text(&more["severity"])
        ));
    }
    let suppressed: Vec<&str> = list(&report["suppressed"]).iter().map(|row| text(&row["cause"])).collect();
    for cause in expect.suppressed.iter().filter(|cause| !suppressed.contains(&cause.as_str())) {
        wrong.push(format!("{cause} is not named as a consequence"));
    }
    wrong
}

/// What the contract promises, whatever the world.
pub fn against_contract(report: &Value, exit: Option<i32>) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = text(&report["verdict"]);
    let checks = list(&report["checks"]);
    let statuses: Vec<&str> = checks.iter().map(|check| text(&check["status"])).collect();
    let worst = ["fail", "unknown", "warn"].into_iter().find(|status| statuses.contains(status)).unwrap_or("pass");
    if verdict != worst {
        wrong.push(format!("the verdict is {verdict}, the worst check is {worst}"));
    }
    if exit_of(verdict) != exit && !(verdict == "warn" && exit == Some(1)) {
        wrong.push(format!("the exit status {} does not fit the verdict {verdict}", shown(exit)));
    }
    for status in ["pass", "warn", "fail", "skip", "unknown"] {
        let counted = statuses.iter().filter(|known| **known == status).count() as u64;
        if report["counts"][status].as_u64() != Some(counted) {
            wrong.push(format!("counts.{status} is {}, but {counted} checks are", report["counts"][status]));
        }
    }
    let diagnoses = list(&report["diagnoses"]);
    if verdict == "pass" && !diagnoses.is_empty() {
        wrong.push("the verdict is pass, yet there are diagnoses".to_owned());
    }
    let explained: Vec<&str> = diagnoses.iter().flat_map(|diagnosis| words(&diagnosis["explains"])).collect();
    for check in checks {
        let id = text(&check["id"]);
        for blocker in words(&check["blocked_by"])
            .into_iter()
            .filter(|blocker| !checks.iter().any(|check| text(&check["id"]) == *blocker))
        {
            wrong.push(format!("{id} is blocked by {blocker}, which is no check"));
        }
        if text(&check["status"]) == "fail" && words(&check["blocked_by"]).is_empty() && !explained.contains(&id) {
            wrong.push(format!("{id} fails and no diagnosis explains it"));
        }
    }
    for id in explained.iter().filter(|id| !checks.iter().any(|check| text(&check["id"]) == **id)) {
        wrong.push(format!("a diagnosis explains {id}, which is no check"));
    }
    for diagnosis in diagnoses {
        let cause = text(&diagnosis["cause"]);
        let (controls, ruled_out) = (words(&diagnosis["controls"]), words(&diagnosis["ruled_out"]));
        if controls.is_empty() || list(&diagnosis["remedies"]).is_empty() {
            wrong.push(format!("{cause} has no control or no remedy"));
        }
        for remedy in list(&diagnosis["remedies"]) {
            let runs = list(&remedy["commands"]).iter().map(|command| text(&command["run"]));
            wrong.extend(
                runs.filter(|run| !can_be_asked(run)).map(|run| format!("{cause}: dig takes no such server: {run}")),
            );
        }
        if let Some(both) = controls.iter().find(|control| ruled_out.contains(control)) {
            wrong.push(format!("{cause} both names and rules out {both}"));
        }
        if text(&diagnosis["certainty"]) == "certain" && controls.len() != 1 {
            wrong.push(format!("{cause} is certain with {} controls", controls.len()));
        }
    }
    wrong
}

fn exit_of(verdict: &str) -> Option<i32> {
    match verdict {
        "pass" | "warn" => Some(0),
        "fail" => Some(1),
        "unknown" => Some(3),
        _ => None,
    }
}

fn shown(exit: Option<i32>) -> String {
    exit.map_or_else(|| "a signal".to_owned(), |exit| exit.to_string())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("(absent)")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}

/// Whether dig, where a command has it, is given a server as it takes one: an address, with the port elsewhere.
fn can_be_asked(run: &str) -> bool {
    let server = run.split_whitespace().find_map(|word| word.strip_prefix('@')).filter(|_| run.contains("dig "));
    server.is_none_or(|server| server.starts_with('<') || server.parse::<std::net::IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        json!({
            "verdict": "fail", "counts": { "pass": 1, "warn": 0, "fail": 1, "skip": 0, "unknown": 0 },
            "checks": [{ "id": "dns.login", "status": "fail", "observed": "NXDOMAIN", "blocked_by": [] }, { "id": "dns.graph", "status": "pass", "blocked_by": [] }],
            "diagnoses": [{ "cause": "dns/nameserver-lies", "severity": "fail", "certainty": "certain", "controls": ["dns"], "ruled_out": [], "explains": ["dns.login"], "remedies": [{}] }],
            "suppressed": [],
        })
    }

    #[test]
    fn a_fitting_report_has_no_differences() {
        let expect: Expect = toml::from_str("verdict = 'fail'\nchecks = { 'dns.login' = 'fail' }\n[[diagnosis]]\ncause = 'dns/nameserver-lies'\ncontrols = ['dns']\ncertainty = 'certain'").expect("valid");
        assert_eq!(against_story(&expect, &report(), Some(1)), Vec::<String>::new());
        assert_eq!(against_contract(&report(), Some(1)), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_said() {
        let expect: Expect =
            toml::from_str("verdict = 'warn'\nsuppressed = ['a/b']\nchecks = { 'dns.login' = 'pass', 'x.y' = 'pass' }")
                .expect("valid");
        assert_eq!(against_story(&expect, &report(), Some(1)).len(), 6);
        let mut broken = report();
        broken["diagnoses"][0]["explains"] = json!([]);
        broken["diagnoses"][0]["ruled_out"] = json!(["dns"]);
        assert_eq!(against_contract(&broken, Some(0)).len(), 3);
    }
}
