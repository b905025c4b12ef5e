//! The catalogue as a whole: each cause has its story, and its prose is fit to be read.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use entra_preflight::catalogue::Catalogue;
use entra_preflight::terms::{CommandKind, Language};
use entra_preflight::words::Mark;

fn catalogue() -> Catalogue {
    Catalogue::load(&[] as &[&str]).expect("the embedded catalogue is valid")
}

#[test]
fn every_cause_has_a_story_of_its_name_that_expects_it() {
    let stories = lab::story::all(&lab::story::directory()).expect("stories");
    let mut missing = Vec::new();
    for cause in catalogue().causes {
        let story = stories.iter().find(|story| story.name == cause.id);
        let fires = story.is_some_and(|story| {
            let expect = &story.scenario.expect;
            expect.diagnosis.iter().any(|wanted| wanted.cause == cause.id) || expect.suppressed.contains(&cause.id)
        });
        if !fires {
            missing.push(cause.id);
        }
    }
    assert!(missing.is_empty(), "causes without a story that fires them: {}", missing.join(", "));
}

#[test]
fn every_expected_cause_exists() {
    let catalogue = catalogue();
    for story in lab::story::all(&lab::story::directory()).expect("stories") {
        for wanted in &story.scenario.expect.diagnosis {
            let known = wanted.cause == "unexplained" || catalogue.cause(&wanted.cause).is_some();
            assert!(known, "{} expects {}, which is no cause", story.name, wanted.cause);
        }
    }
}

#[test]
fn enough_stories_for_each_question() {
    let stories = lab::story::all(&lab::story::directory()).expect("stories");
    let of = |stage: &str| stories.iter().filter(|story| story.name.starts_with(&format!("{stage}/"))).count();
    for (stage, least) in [("healthy", 10), ("dns", 6), ("https", 6), ("token", 6), ("server", 6), ("login", 6)] {
        assert!(of(stage) >= least, "{stage} has {} stories", of(stage));
    }
}

#[test]
fn causes_are_told_in_sentences_with_sources() {
    for cause in catalogue().causes {
        let text = &cause.text;
        assert!(!text.because.is_empty(), "{}: nothing observed", cause.id);
        assert!(text.mark < Mark::Sourced || !text.sources.is_empty(), "{}: marked S, and no source", cause.id);
        for source in text.sources.iter().chain(text.remedy.iter().flat_map(|remedy| &remedy.docs)) {
            assert!(source.starts_with("https://"), "{}: {source} is no address", cause.id);
        }
        for remedy in &text.remedy {
            let kinds: Vec<CommandKind> = remedy.commands.iter().map(|command| command.kind).collect();
            let reads = kinds.contains(&CommandKind::Read);
            assert!(
                !reads || kinds[0] == CommandKind::Read,
                "{}: a changing command before the reading ones",
                cause.id
            );
            assert!(!remedy.steps.is_empty() || !remedy.commands.is_empty(), "{}: a remedy without a way", cause.id);
        }
    }
}

#[test]
fn every_pattern_is_a_regular_expression() {
    for pattern in catalogue().words.patterns() {
        pattern.verify().expect("a regular expression");
    }
}

#[test]
fn owners_and_ids_are_known() {
    let catalogue = catalogue();
    let owners: BTreeSet<&str> = catalogue.controls.iter().map(|row| row.owner.as_str()).collect();
    for cause in &catalogue.causes {
        for remedy in &cause.text.remedy {
            let known = owners.contains(remedy.owner.as_str())
                || ["network", "identity", "database", "platform", "machine"].contains(&remedy.owner.as_str());
            assert!(known, "{}: the owner {}", cause.id, remedy.owner);
        }
    }
    for requirement in &catalogue.requirements {
        let stands = catalogue.checks.iter().any(|check| check.requirement.contains(&requirement.id));
        assert!(stands, "no check stands for {}", requirement.id);
    }
}

#[test]
fn clouds_are_whole() {
    let catalogue = catalogue();
    for name in ["public", "usgov", "china"] {
        let cloud = catalogue.cloud(name).expect(name);
        assert!(
            cloud.tag.as_ref().is_some_and(|tag| tag.prefixes.len() > 10 && !tag.date.is_empty()),
            "{name} has ranges"
        );
        assert!(!cloud.resource.ends_with('/'), "{name}");
    }
    let public = catalogue.cloud("public").expect("public");
    assert!(public.in_tag("20.190.160.1".parse().expect("address")));
    assert!(!public.in_tag("10.0.0.1".parse().expect("address")));
    let of = |host: &str| catalogue.cloud_of(host).map(|cloud| cloud.name.as_str());
    assert_eq!(of("x.postgres.database.usgovcloudapi.net"), Some("usgov"));
    assert_eq!(of("postgres.database.azure.com"), None);
}

/// The tripwire of the design: facts that only one cause uses would make the table a disguise for code.
#[test]
fn few_causes_need_a_fact_of_their_own() {
    let catalogue = catalogue();
    let uses =
        |name: &str| catalogue.causes.iter().filter(|cause| cause.text.when.facts().any(|fact| fact == name)).count();
    let alone = catalogue.causes.iter().filter(|cause| cause.text.when.facts().any(|fact| uses(fact) == 1)).count();
    let all = catalogue.causes.len();
    assert!(alone * 5 <= all, "{alone} of {all} causes need a fact that only they use: redraw the table");
}

/// What is not filled in stays a word that a shell would take for one.
#[test]
fn shell_commands_can_be_read_by_a_shell() {
    let catalogue = catalogue();
    let mut script = String::new();
    for cause in &catalogue.causes {
        let remedies = cause.text.remedy.iter().flat_map(|remedy| &remedy.commands);
        let own = remedies.filter(|command| command.language == Language::Shell).map(|command| command.run.as_str());
        for run in own.chain(cause.text.next.iter().filter_map(|next| next.run.as_deref())) {
            let mut words = run.trim().to_owned();
            while let Some((before, (name, after))) =
                words.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
            {
                let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:".contains(letter);
                assert!(name.chars().all(plain), "{}: <{name}> in {run}", cause.id);
                words = format!("{before}word{after}");
            }
            script += &format!("{words} # {}\n", cause.id);
        }
    }
    let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().expect("a shell");
    // Whoever finds a mistake reads no further.
    let _ = shell.stdin.take().expect("a pipe").write_all(script.as_bytes());
    assert!(shell.wait().expect("it ends").success(), "the shell says why");
}
