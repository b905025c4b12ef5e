//! What becomes of a nameserver in the course of a run: several questions to it are held against each other, getaddrinfo's among them.

use super::address::is_address;
use super::answer::{Answer, answered, answers, told, word_of};
use super::lookup::Lookup;
use super::{Row, Seen};
use crate::evidence::{Detail, DnsChanged, DnsQuery, Observation};

/// What a nameserver did at one time and not at another.
struct Course {
    word: &'static str,
    /// Quotations that show it.
    quotes: Vec<(&'static str, String)>,
}

impl Course {
    fn say(self, row: &mut Row, answer: &Answer<'_>) {
        row.say("nameserver.course", self.word);
        row.quote("said", told(answer.word, &answer.addresses));
        for (name, text) in self.quotes {
            row.quote(name, text);
        }
    }
}

pub(super) fn read(seen: &Seen<'_>, row: &mut Row, answer: &Answer<'_>) {
    let subject = row.subject.clone();
    if let Some(turn) = turn(seen, &subject, answer) {
        match turn.word {
            // A denial is an answer: what changed is not whether it answers, but what.
            "flaps" => {
                row.say("dns.repeated", "flaps");
                row.quote("said", turn.first);
                row.quote("other_answer", turn.second);
            }
            word => {
                let quotes = vec![("system_first", turn.first), ("system_again", turn.second)];
                Course { word, quotes }.say(row, answer);
            }
        }
        return;
    }
    if answered(answer.word) || row.word("nameserver.course").is_some() {
        return;
    }
    if let Some(course) = known_name(seen, answer).or_else(|| elsewhere(seen, &subject, answer)) {
        course.say(row, answer);
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
        let over_tcp = if answer.beside == Some("answers") { "answered" } else { "" };
        Some(Course { word, quotes: vec![("known_name", query.name.clone()), ("over_tcp", over_tcp.to_owned())] })
    })
}

/// Another name that getaddrinfo got before this nameserver broke off: then it is no matter of this one's name.
fn elsewhere(seen: &Seen<'_>, subject: &str, answer: &Answer<'_>) -> Option<Course> {
    let others = super::subjects(seen.evidence).into_iter().filter(|other| other != subject);
    others.into_iter().find_map(|other| {
        let answers = answers(seen, &other);
        let of_server = answers.iter().find(|known| known.nameserver == answer.nameserver)?;
        turn(seen, &other, of_server).filter(|turn| turn.word == "breaks-off")?;
        Some(Course { word: "breaks-off", quotes: vec![("known_name", seen.host(&other)?)] })
    })
}

/// What two lookups of getaddrinfo and the question between them show.
struct Turn {
    word: &'static str,
    first: String,
    second: String,
}

/// Two lookups alike are no turn: then this machine asks somebody else than this nameserver.
fn turn(seen: &Seen<'_>, subject: &str, answer: &Answer<'_>) -> Option<Turn> {
    let lookup = |again: bool| Lookup::of(seen, subject, again).filter(|lookup| lookup.word != "undetermined");
    let (first, second) = (lookup(false)?, lookup(true)?);
    // glibc says of half an answer, too, that there is no such name: whoever asks for both halves may see no denial at all.
    let denies = |word: &str| matches!(word, "nxdomain" | "nodata");
    let word = match (is_address(first.word), is_address(answer.word), is_address(second.word)) {
        (true, false, false) if denies(answer.word) => denies(second.word).then_some("flaps")?,
        (true, false, false) if !answered(answer.word) && answer.word != "undetermined" => "breaks-off",
        (false, true, true) if denies(first.word) => "flaps",
        (false, true, true) => "recovers",
        (false, true, false) if fails_again(seen, subject, answer) => "breaks-off",
        _ => return None,
    };
    let said = |lookup: &Lookup| told(lookup.word, &lookup.addresses);
    Some(Turn { word, first: said(&first), second: said(&second) })
}

fn fails_again(seen: &Seen<'_>, subject: &str, answer: &Answer<'_>) -> bool {
    let fails = |observation: &Observation, query: &DnsQuery| {
        let word = word_of(seen, observation, query);
        query.nameserver == answer.nameserver && !answered(word) && word != "undetermined"
    };
    seen.of(subject).any(|(_, observation)| match &observation.detail {
        Detail::DnsComparison(comparison) => {
            comparison.changed == DnsChanged::Again && fails(observation, &comparison.query)
        }
        _ => false,
    })
}
