//! `plan` names everybody whom `check` meets, before anything is contacted.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;

use crate::contract::{bare, in_world, told, world};
use crate::stories;

/// Worlds with every kind of peer: a proxy, a silent host, an application's token, the platform's endpoint, a nameserver that fails.
const WORLDS: [&str; 6] = [
    "",
    "[proxy]\ncredentials = \"right\"",
    "[login]\ntcp = \"silent\"\n[graph]\ntls = \"silent\"",
    "[token]\nfrom = \"client-secret\"",
    "[token]\nfrom = \"app-service\"",
    "[[nameserver]]\nlogin = \"servfail\"\n[[nameserver]]",
];

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

/// Everybody whom the plan names, at the address that would be dialled.
fn planned(plan: &Value) -> BTreeSet<String> {
    let mut planned = BTreeSet::new();
    for one in plan["destinations"].as_array().expect("destinations") {
        match one["dialled"].as_array() {
            Some(dialled) => planned.extend(dialled.iter().filter_map(Value::as_str).map(str::to_owned)),
            None => planned.extend(one["to"].as_str().map(str::to_owned)),
        }
    }
    planned
}

/// Everybody whom the run met, by its evidence.
fn met(report: &Value) -> BTreeSet<String> {
    let mut met = BTreeSet::new();
    for observation in report["evidence"].as_array().expect("evidence") {
        let detail = observation["detail"].as_object().expect("a detail").values().next().expect("one detail");
        match observation["operation"].as_str().expect("an operation") {
            "tcp-connect" => met.insert(detail["dialled"].as_str().expect("an address").to_owned()),
            "dns-query" => met.insert(detail["nameserver"].as_str().expect("an address").to_owned()),
            "metadata" => {
                let url = detail["url"].as_str().expect("a URL");
                met.insert(url.split('/').nth(2).expect("an authority").to_owned())
            }
            _ => continue,
        };
    }
    met
}

#[test]
fn nobody_is_met_whom_the_plan_does_not_name() {
    let _turn = stories::turn();
    for text in WORLDS {
        let world = world(&told(text));
        let plan = Command::new(stories::program())
            .env_clear()
            .envs(world.env.iter().map(|(name, value)| (name, value)))
            .arg("plan")
            .args(world.args.iter().skip_while(|argument| *argument == "check"))
            .args(["--format", "json"])
            .output()
            .expect("the program starts");
        let heard: usize = world.received().iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(heard, 0, "a plan contacts nobody");
        let run = in_world(&world, &["--format", "json"]);
        let (planned, met) = (planned(&json(&plan)), met(&json(&run)));
        assert!(met.len() > 2, "a run meets somebody: {met:?}");
        let unknown: Vec<_> = met.difference(&planned).collect();
        assert!(unknown.is_empty(), "met, and not planned: {unknown:?}\nplanned: {planned:?}\nin {text}");
    }
}

#[test]
fn a_plan_is_for_people_too() {
    let plan = bare(&["plan", "--server", "orders.postgres.database.azure.com", "--nameserver", "127.0.0.1:5300"]);
    let text = String::from_utf8_lossy(&plan.stdout);
    for part in
        ["127.0.0.1:5300", "orders.postgres.database.azure.com:5432", "login.microsoftonline.com:443", "no sign-in"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("getaddrinfo"), "a nameserver of --nameserver replaces the system's resolution");
}

#[test]
fn completions_name_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = bare(&["completions", shell]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("explain") && text.contains("token-file"), "{shell}");
    }
}
