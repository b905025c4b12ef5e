//! Two stories told as one world, so that diagnoses are tried on faults that nobody wrote a rule for.

use serde_json::Value;
use toml::{Table, Value as Toml};

use crate::judge;
use crate::scenario::{Carrier, Named, Scenario, Tls};
use crate::story::Story;

/// What a story may break, layer by layer: two stories are told together only when they break different ones.
const LAYERS: [&[&str]; 4] =
    [&["nameserver"], &["login", "graph", "proxy"], &["metadata", "entra", "az", "token"], &["server"]];
/// What a story says of itself.
const ABOUT: [&str; 6] = ["story", "question", "why", "carrier", "world", "expect"];

/// A story with one fault on one layer, as its file has it.
pub struct Fault {
    pub story: Story,
    text: Table,
    layer: usize,
}

impl Fault {
    /// `None` when the story has no fault, several, or changes more of its world than the topology.
    pub fn of(story: Story, text: &str) -> Option<Fault> {
        let text: Table = toml::from_str(text).ok()?;
        let expect = &story.scenario.expect;
        let broken: Vec<&String> = text.keys().filter(|key| !ABOUT.contains(&key.as_str())).collect();
        let layer = LAYERS.iter().position(|layer| broken.iter().all(|key| layer.contains(&key.as_str())))?;
        let plain = |world: &Toml| world.as_table().is_some_and(|world| world.keys().all(|key| key == "topology"));
        let single = expect.diagnosis.len() == 1 && expect.suppressed.is_empty() && !broken.is_empty();
        let here = story.scenario.carrier != Carrier::Namespaces && text.get("world").is_none_or(plain);
        (single && here).then_some(Fault { story, text, layer })
    }

    /// Both faults in one world; `None` when they do not go together.
    pub fn beside(&self, other: &Fault) -> Option<Story> {
        let topologies = (self.story.scenario.world.topology, other.story.scenario.world.topology);
        if self.layer == other.layer || topologies.0 != topologies.1 {
            return None;
        }
        // A server that is named by its address asks nothing of DNS.
        let nameless = |fault: &Fault| fault.story.scenario.server.named == Named::Address;
        let of_names = |fault: &Fault| fault.text.contains_key("nameserver");
        if (nameless(self) && of_names(other)) || (nameless(other) && of_names(self)) {
            return None;
        }
        // An appliance that this machine trusts at one host and not at the other contradicts itself.
        let shows = |fault: &Fault, tls: Tls| {
            let scenario = &fault.story.scenario;
            [scenario.login.tls, scenario.graph.tls].contains(&tls) || scenario.server.sides().contains(&tls)
        };
        let (trusted, other_root) = (Tls::InspectedTrusted, Tls::Inspected);
        if (shows(self, trusted) && shows(other, other_root)) || (shows(other, trusted) && shows(self, other_root)) {
            return None;
        }
        let mut text = self.text.clone();
        text.extend(
            other.text.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())),
        );
        let scenario = Scenario::parse(&toml::to_string(&text).ok()?).ok()?;
        Some(Story { name: format!("{} + {}", self.story.name, other.story.name), scenario })
    }
}

/// In what a report of both faults differs from what the two stories say: each diagnosis must be there, unless the other fault is in its way, and no third.
pub fn differences(one: &Fault, other: &Fault, report: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let given = list(&report["diagnoses"]);
    let mut wrong = judge::against_contract(report, None)
        .into_iter()
        .filter(|line| !line.contains("exit status"))
        .collect::<Vec<_>>();
    let wanted: Vec<_> = [one, other].into_iter().flat_map(|fault| &fault.story.scenario.expect.diagnosis).collect();
    for diagnosis in &wanted {
        let stage = diagnosis.cause.split('/').next().unwrap_or_default();
        let waits = |check: &Value| {
            check["id"].as_str().is_some_and(|id| id.starts_with(&format!("{stage}.")))
                && !list(&check["blocked_by"]).is_empty()
        };
        // What this machine's own checks know, they know from hosts that were dialled: that takes a name that resolves.
        let unseen = |check: &Value| {
            stage == "host"
                && ["dns.login", "dns.graph"].iter().any(|id| check["id"] == *id)
                && check["status"] == "fail"
        };
        let named = |row: &Value| row["cause"] == diagnosis.cause.as_str();
        match given.iter().find(|found| named(found)) {
            Some(found) => {
                let controls: Vec<String> =
                    list(&found["controls"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
                // This machine is cleared by whatever else answers: the other fault may have taken that away.
                let or_here = [&diagnosis.controls[..], &["host".to_owned()]].concat();
                if controls != diagnosis.controls && controls != or_here {
                    wrong.push(format!(
                        "{} names [{}], alone [{}]",
                        diagnosis.cause,
                        controls.join(", "),
                        diagnosis.controls.join(", ")
                    ));
                }
            }
            None if list(&report["suppressed"]).iter().any(named)
                || list(&report["checks"]).iter().any(|check| waits(check) || unseen(check)) => {}
            None => wrong.push(format!("{} is missing, and nothing is in its way", diagnosis.cause)),
        }
    }
    for found in given.iter().filter(|found| wanted.iter().all(|known| found["cause"] != known.cause.as_str())) {
        wrong.push(format!(
            "{} is no fault of this world (“{}”)",
            found["cause"].as_str().unwrap_or_default(),
            found["summary"].as_str().unwrap_or_default()
        ));
    }
    wrong
}
