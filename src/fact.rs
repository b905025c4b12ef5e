//! What the evidence says, in words. Evidence in, words out: no clock, no socket, no advice.

use std::collections::BTreeMap;

use crate::cloud::Cloud;
use crate::evidence::{Claims, Detail, Observation, Settings};
use crate::failure::Outcome;
use crate::verb::{CONTROL, GRAPH, LOGIN, SERVER, SUBJECTS};
use crate::words::{Mark, Words};

mod address;
mod answer;
mod course;
mod doubt;
mod icmp;
mod login;
mod lookup;
mod machine;
mod name;
mod names;
mod nameservers;
mod path;
mod principal;
mod reported;
mod roles;
mod run;
mod token;
pub mod vocabulary;

/// A word, and how well the translation that gave it is known.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub word: &'static str,
    pub mark: Mark,
}

/// What led to the word of a check's deciding fact: one line for a person, and places in the evidence.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub observed: String,
    pub evidence: Vec<usize>,
}

/// All facts of one subject, at one nameserver where that is the subject.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub subject: String,
    /// Set when the row is about what one nameserver says of the subject's name.
    pub nameserver: bool,
    facts: BTreeMap<&'static str, Said>,
    values: BTreeMap<&'static str, String>,
    accounts: BTreeMap<&'static str, Account>,
}

/// Everything that was read.
pub struct Facts {
    pub settings: Settings,
    pub cloud: Cloud,
    pub rows: Vec<Row>,
}

impl Facts {
    /// The row of a subject as a whole.
    pub fn row(&self, subject: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.subject == subject && !row.nameserver)
    }
}

impl Row {
    fn of(subject: &str) -> Row {
        let mut row = Row { subject: subject.to_owned(), ..Row::default() };
        let word = SUBJECTS.iter().find(|known| **known == subject).copied().unwrap_or("other");
        row.say("subject", word);
        row
    }

    fn say(&mut self, fact: &str, word: &str) {
        self.say_marked(fact, word, Mark::Sourced);
    }

    fn say_marked(&mut self, fact: &str, word: &str, mark: Mark) {
        let known = vocabulary::fact(fact).unwrap_or_else(|| panic!("the fact {fact} is not declared"));
        let word = known.words.iter().find(|known| **known == word);
        let word = word.unwrap_or_else(|| panic!("a word of {fact} is not declared"));
        self.facts.insert(known.name, Said { word, mark });
    }

    /// A value that prose may quote; an empty one was not said.
    fn quote(&mut self, name: &str, value: impl Into<String>) {
        let (known, _) = vocabulary::VALUES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| {
            panic!("the value {name} is not declared");
        });
        let value = value.into();
        if !value.is_empty() {
            self.values.insert(known, value);
        }
    }

    fn account(&mut self, fact: &str, observed: impl Into<String>, evidence: Vec<usize>) {
        let known = vocabulary::fact(fact).unwrap_or_else(|| panic!("the fact {fact} is not declared"));
        self.accounts.insert(known.name, Account { observed: observed.into(), evidence });
    }

    pub fn word(&self, fact: &str) -> Option<&'static str> {
        self.facts.get(fact).map(|said| said.word)
    }

    pub fn mark(&self, fact: &str) -> Option<Mark> {
        self.facts.get(fact).map(|said| said.mark)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn account_of(&self, fact: &str) -> Option<&Account> {
        self.accounts.get(fact)
    }

    /// Takes over what `other` says and this row does not.
    fn also(&mut self, other: &Row) {
        for (fact, said) in &other.facts {
            self.facts.entry(fact).or_insert(*said);
        }
        // What another subject's peer said is not this one's error.
        let foreign = ["error", "status", "quote", "description", "location", "answer"];
        for (name, value) in other.values.iter().filter(|(name, _)| !foreign.contains(*name)) {
            self.values.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// What reading needs to know of the world: the word lists and the clouds.
pub struct Lore<'a> {
    pub words: &'a Words,
    pub clouds: &'a [Cloud],
}

/// Reads the evidence, whatever of it there is.
pub fn read(evidence: &[Observation], lore: &Lore<'_>) -> Facts {
    let settings = settings_of(evidence);
    let cloud = match &settings.cloud_text {
        Some(text) => Cloud::parse(text).ok(),
        None => lore.clouds.iter().find(|cloud| cloud.name == settings.cloud).cloned(),
    };
    let cloud = cloud.unwrap_or_else(|| Cloud::bare(&settings.login_host, &settings.graph_host, &settings.resource));
    let seen = Seen { evidence, settings: &settings, cloud: &cloud, lore };

    let mut hosts = Vec::new();
    let mut control = path::control(&seen);
    for subject in subjects(evidence).into_iter().filter(|subject| *subject != control.subject) {
        let mut row = Row::of(&subject);
        names::read(&seen, &mut row);
        path::read(&seen, &mut row);
        hosts.push(row);
    }
    let mut token = token::read(&seen);
    let mut principal = principal::read(&seen);
    login::read(&seen, hosts.iter_mut().find(|row| row.subject == SERVER));
    let mut machine = machine::read(&seen, &hosts);
    let run = run::read(&seen, &hosts, &control);
    let mut rows: Vec<Row> = nameservers::nameserver_rows(&seen, &hosts);
    for row in rows.iter_mut().chain(&mut hosts) {
        row.also(&run);
    }
    let reported = reported::read(&seen, &reported::Run { hosts: &hosts, token: &token, machine: &machine, run: &run });
    for host in hosts.iter_mut().filter(|host| host.word("tcp.reach") == Some("none")) {
        let passes = host.word("run.egress") == Some("open") || host.word("refusal.born") == Some("beyond");
        host.say("local.filter", if passes { "excluded" } else { "possible" });
    }
    control.also(&run);
    token.also(&run);
    principal.also(&run);
    machine.also(&run);
    if let Some(server) = hosts.iter_mut().find(|row| row.subject == SERVER) {
        // A login carries its token: both are stages of one sign-in.
        server.also(&token);
        principal::of_user(&seen, server);
        roles::read(&seen, server);
        name::read(&seen, server);
    }
    let mut nameservers = nameservers::all_nameservers(&seen, &rows);
    nameservers.also(&run);
    hosts.push(nameservers);
    rows.splice(0..0, hosts.into_iter().chain([control, token, principal, machine, reported]));
    Facts { settings, cloud, rows }
}

/// What every reader has before it.
struct Seen<'a> {
    evidence: &'a [Observation],
    settings: &'a Settings,
    cloud: &'a Cloud,
    lore: &'a Lore<'a>,
}

impl Seen<'_> {
    fn of<'s>(&'s self, subject: &'s str) -> impl Iterator<Item = (usize, &'s Observation)> + 's {
        self.evidence.iter().enumerate().filter(move |(_, observation)| observation.subject == subject)
    }

    /// The host name of a subject, when it has one.
    fn host(&self, subject: &str) -> Option<String> {
        match subject {
            LOGIN => Some(self.settings.login_host.clone()),
            GRAPH => Some(self.settings.graph_host.clone()),
            CONTROL => self.cloud.control_host.clone(),
            SERVER => self.settings.server.clone(),
            other => crate::verb::own_host(other).ok().map(|(host, _)| host.to_owned()),
        }
    }
}

fn settings_of(evidence: &[Observation]) -> Settings {
    let settings = evidence.iter().find_map(|observation| match &observation.detail {
        Detail::Settings(settings) => Some((**settings).clone()),
        _ => None,
    });
    settings.unwrap_or_default()
}

/// The hosts that the evidence speaks of, Entra's first.
fn subjects(evidence: &[Observation]) -> Vec<String> {
    let mut subjects: Vec<String> = [LOGIN, GRAPH, SERVER].map(str::to_owned).to_vec();
    for observation in evidence {
        if crate::verb::own_host(&observation.subject).is_ok() && !subjects.contains(&observation.subject) {
            subjects.push(observation.subject.clone());
        }
    }
    subjects
}

/// The error's own words. That we lost patience is not one: the word `silent` says it.
fn said(observation: &Observation) -> String {
    let ours = matches!(observation.outcome, Outcome::Ok | Outcome::Timeout | Outcome::CutShort);
    observation.error.clone().filter(|_| !ours).unwrap_or_default()
}

/// "a, b and 3 more": as many as a line bears.
fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.as_slice() {
        [first, second, third, _, rest @ ..] => format!("{first}, {second}, {third} and {} more", rest.len() + 1),
        _ => items.join(", "),
    }
}

impl Seen<'_> {
    /// What the token says of itself.
    fn claims(&self) -> Option<&Claims> {
        self.evidence.iter().find_map(|observation| match &observation.detail {
            Detail::Claims(claims) => Some(claims),
            _ => None,
        })
    }

    fn machine(&self) -> Option<&crate::evidence::Machine> {
        self.evidence.iter().find_map(|observation| match &observation.detail {
            Detail::Machine(machine) => Some(&**machine),
            _ => None,
        })
    }
}

/// A peer's text in one line: control characters and runs of blanks become one blank.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() > 200 { line.chars().take(199).chain(['…']).collect() } else { line }
}

/// A span of seconds, as people say it.
fn span(seconds: i64) -> String {
    if seconds < 120 {
        format!("{seconds} s")
    } else if seconds < 7200 {
        format!("{} min", seconds / 60)
    } else if seconds < 172_800 {
        format!("{} h {} min", seconds / 3600, seconds % 3600 / 60)
    } else {
        format!("{} days", seconds / 86_400)
    }
}

fn day(at: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(at).map_or_else(|_| at.to_string(), |at| at.date().to_string())
}

fn minute(at: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(at)
        .map_or_else(|_| at.to_string(), |at| format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()))
}
