//! What becomes of a nameserver in the course of a run: several questions to it are held against each other, getaddrinfo's among them.

use std::net::IpAddr;

use super::address::is_address;
use super::answer::{Answer, answered, answers, configured, same, told, word_of};
use super::lookup::Lookup;
use super::{Row, Seen};
use crate::evidence::{Detail, DnsChanged};

/// What a nameserver does now with a name that it answered before.
struct Course {
    word: &'static str,
    known_name: String,
}

pub(super) fn read(seen: &Seen<'_>, row: &mut Row, answer: &Answer<'_>) {
    let subject = row.subject.clone();
    if let Some(turn) = turn(seen, &subject, answer) {
        row.say(turn.fact, turn.word);
        row.quote("said", told(answer.word, &answer.addresses));
        row.quote("other_answer", turn.repeated);
        row.quote("system_first", turn.first);
        row.quote("system_again", turn.second);
        return;
    }
    if answered(answer.word) || row.word("nameserver.course").is_some() {
        return;
    }
    if let Some(course) = known_name(seen, answer).or_else(|| elsewhere(seen, &subject, answer)) {
        row.say("nameserver.course", course.word);
        row.quote("said", told(answer.word, &answer.addresses));
        row.quote("known_name", course.known_name);
        row.quote("over_tcp", if answer.beside == Some("answers") { "answered" } else { "" });
    }
}

/// What becomes of a name that the same nameserver answered before, while it does not answer this one.
fn known_name(seen: &Seen<'_>, answer: &Answer<'_>) -> Option<Course> {
    seen.evidence.iter().find_map(|observation| {
        let Detail::DnsComparison(comparison) = &observation.detail else { return None };
        let query = &comparison.query;
        if comparison.changed != DnsChanged::AnsweredName || query.nameserver != answer.nameserver {
            return None;
        }
        let word = match word_of(seen, observation, query) {
            "undetermined" => return None,
            // A refusal by name is a policy, and told as one.
            word if answered(word) => (answer.word == "silent").then_some("by-name")?,
            _ => "breaks-off",
        };
        Some(Course { word, known_name: query.name.clone() })
    })
}

/// Another name that getaddrinfo got before this nameserver broke off: then it is no matter of this one's name.
fn elsewhere(seen: &Seen<'_>, subject: &str, answer: &Answer<'_>) -> Option<Course> {
    let others = super::subjects(seen.evidence).into_iter().filter(|other| other != subject);
    others.into_iter().find_map(|other| {
        let answers = answers(seen, &other);
        let of_server = answers.iter().find(|known| known.nameserver == answer.nameserver)?;
        turn(seen, &other, of_server).filter(|turn| turn.word == "breaks-off")?;
        Some(Course { word: "breaks-off", known_name: seen.host(&other)? })
    })
}

/// What two lookups of getaddrinfo and the questions between them show.
struct Turn {
    fact: &'static str,
    word: &'static str,
    first: String,
    second: String,
    /// What the nameserver said when it was asked again, where that shows it.
    repeated: String,
}

/// Two lookups alike are no turn: then this machine asks somebody else than its nameservers. And where they do not all say the same, nobody
/// knows whom getaddrinfo asked each time.
fn turn(seen: &Seen<'_>, subject: &str, answer: &Answer<'_>) -> Option<Turn> {
    let lookup = |again: bool| Lookup::of(seen, subject, again).filter(|lookup| lookup.word != "undetermined");
    let (first, second) = (lookup(false)?, lookup(true)?);
    let alike = |other: &Answer<'_>| !configured(seen, other) || same(other.word, answer.word);
    if !answers(seen, subject).iter().all(alike) {
        return None;
    }
    let denies = |word: &str| matches!(word, "nxdomain" | "nodata");
    // glibc says of half an answer, too, that there is no such name; a name with addresses of both families has no such half.
    let whole = answer.addresses.iter().any(IpAddr::is_ipv4) && answer.addresses.iter().any(IpAddr::is_ipv6);
    let repeated = fails_again(seen, subject, answer);
    let (course, lookups, repeats) = ("nameserver.course", "dns.lookups", "dns.repeated");
    let (fact, word) = match (is_address(first.word), is_address(answer.word), is_address(second.word)) {
        (true, false, false) if denies(answer.word) => denies(second.word).then_some((repeats, "flaps"))?,
        (true, false, false) if !answered(answer.word) && answer.word != "undetermined" => (course, "breaks-off"),
        (false, true, _) if repeated.is_some() => (course, "breaks-off"),
        (false, true, true) if denies(first.word) && whole => (repeats, "flaps"),
        (false, true, true) => (lookups, "recover"),
        _ => return None,
    };
    let said = |lookup: &Lookup| told(lookup.word, &lookup.addresses);
    Some(Turn { fact, word, first: said(&first), second: said(&second), repeated: repeated.unwrap_or_default() })
}

/// How the nameserver failed when it was asked again for what it had answered.
fn fails_again(seen: &Seen<'_>, subject: &str, answer: &Answer<'_>) -> Option<String> {
    seen.of(subject).find_map(|(_, observation)| match &observation.detail {
        Detail::DnsComparison(comparison) => {
            let query = &comparison.query;
            let word = word_of(seen, observation, query);
            let failed = !answered(word) && word != "undetermined";
            let fits = comparison.changed == DnsChanged::Again && query.nameserver == answer.nameserver;
            (fits && failed).then(|| told(word, &[]))
        }
        _ => None,
    })
}
