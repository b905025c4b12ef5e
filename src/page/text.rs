//! The page that is read at 3 a.m.: verdict and first blocker, the chain with what is proven, then one block per diagnosis.

use std::fmt::Write;

use owo_colors::{OwoColorize, Style};

use super::Detail;
use super::wrap::{cut, visible, wrapped};
use crate::diagnosis::{CheckResult, Diagnosis};
use crate::evidence::Observation;
use crate::report::Report;
use crate::stage::Stage;
use crate::terms::{Certainty, CommandKind, Proven, Severity, Status, Verdict, Where};

/// The page. It holds colour codes; whoever prints it strips them where they are not wanted.
pub fn text(report: &Report, detail: Detail, width: usize) -> String {
    let mut page = Page { text: String::new(), width, detail };
    if detail == Detail::Quiet {
        page.verdict(report, "");
        return page.text;
    }
    page.head(report);
    page.verdict(report, "  ");
    page.blank();
    page.chain(report);
    for (number, diagnosis) in report.diagnoses.iter().enumerate() {
        page.blank();
        page.diagnosis(number + 1, diagnosis);
    }
    page.blank();
    if matches!(report.verdict, Verdict::Pass | Verdict::Warn) {
        page.sign_in(report);
    }
    page.proven(report);
    page.text
}

struct Page {
    text: String,
    width: usize,
    detail: Detail,
}

fn style(status: Status) -> Style {
    match status {
        Status::Pass => Style::new().green(),
        Status::Warn => Style::new().yellow(),
        Status::Fail => Style::new().red().bold(),
        Status::Unknown => Style::new().magenta(),
        Status::Skip => Style::new().dimmed(),
    }
}

fn label(status: Status) -> &'static str {
    match status {
        Status::Pass => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
        Status::Unknown => "?",
        Status::Skip => "skip",
    }
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A label in its column, and a paragraph that hangs beside it.
    fn beside(&mut self, label: &str, paragraph: &str) {
        const INDENT: usize = 5;
        const COLUMN: usize = 11;
        let room = self.width.saturating_sub(INDENT + COLUMN).max(30);
        for (index, line) in wrapped(paragraph, room).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.line(&format!("{:INDENT$}{:COLUMN$}{line}", "", label.bold().to_string_padded(COLUMN, label)));
        }
    }

    fn head(&mut self, report: &Report) {
        let target = &report.target;
        let what = match (&target.server, &target.user) {
            (Some(server), Some(user)) => format!("{server}:{} as {user}", target.port),
            (Some(server), None) => format!("{server}:{}", target.port),
            _ => format!("cloud {}, no server named", target.cloud),
        };
        let azure = report.vantage.azure.as_ref();
        let from = match (report.vantage.place, azure) {
            (Where::AzureVm, Some(azure)) => {
                let vm = azure.vm.as_deref().unwrap_or("an Azure VM");
                let address =
                    azure.private_address.as_deref().map(|address| format!(" ({address})")).unwrap_or_default();
                format!("from Azure VM {vm}{address}")
            }
            (Where::Elsewhere, _) => "not from Azure".to_owned(),
            _ => "from an unknown place".to_owned(),
        };
        let line = format!("entra-preflight   {}   {}", visible(&what), visible(&from));
        self.line(&line.dimmed().to_string());
        self.blank();
    }

    fn verdict(&mut self, report: &Report, indent: &str) {
        let (word, status) = match report.verdict {
            Verdict::Pass => ("PASS", Status::Pass),
            Verdict::Warn => ("WARN", Status::Warn),
            Verdict::Fail => ("FAIL", Status::Fail),
            Verdict::Unknown => ("UNKNOWN", Status::Unknown),
        };
        let sentence = match report.diagnoses.first() {
            Some(first) => first.summary.clone(),
            None => said(report),
        };
        let room = self.width.saturating_sub(indent.len() + 9).max(30);
        for (index, line) in wrapped(&sentence, room).iter().enumerate() {
            let shown = if index == 0 { word } else { "" };
            self.line(&format!("{indent}{}{line}", shown.style(style(status).bold()).to_string_padded(9, shown)));
        }
    }

    fn chain(&mut self, report: &Report) {
        let narrow = self.width < 90;
        let name_width = report.checks.iter().map(|check| check.id.len()).max().unwrap_or(0).max(12);
        let mut last = None;
        let mut at = 0;
        while let Some(check) = report.checks.get(at) {
            // Neighbours that are skipped for one reason are told in one line.
            let alike = |other: &&CheckResult| {
                other.status == Status::Skip
                    && other.observed == check.observed
                    && Stage::of(&other.id) == Stage::of(&check.id)
            };
            let group: Vec<&str> = match check.status {
                Status::Skip => report.checks[at..].iter().take_while(alike).map(|check| check.id.as_str()).collect(),
                _ => vec![check.id.as_str()],
            };
            at += group.len();
            let stage = Stage::of(&check.id);
            let heading = if stage == last { "" } else { stage.map_or("", stage_name) };
            last = stage;
            let status = label(check.status).style(style(check.status)).to_string_padded(6, label(check.status));
            let time = if check.status == Status::Skip { String::new() } else { format!("{} ms", check.duration_ms) };
            let time_width = if narrow { 0 } else { 10 };
            let room = self.width.saturating_sub(9 + 6 + name_width + 2 + time_width).max(20);
            let short = check.status == Status::Pass || (check.status == Status::Skip && group.len() == 1);
            let text = if group.len() == 1 {
                check.observed.clone()
            } else {
                format!("and {}: {}", group[1..].join(", "), check.observed)
            };
            let observed = if short { vec![cut(&text, room)] } else { wrapped(&text, room) };
            let first = observed.first().cloned().unwrap_or_default();
            let padded = format!("{first:room$}");
            let shown = if check.status == Status::Skip { padded.dimmed().to_string() } else { padded };
            let time = if narrow { String::new() } else { format!("{time:>10}").dimmed().to_string() };
            self.line(&format!("  {heading:7}{status}{:name_width$}  {shown}{time}", group[0]));
            for more in observed.iter().skip(1) {
                let shown = if check.status == Status::Skip { more.dimmed().to_string() } else { more.clone() };
                self.line(&format!("  {:7}{:6}{:name_width$}  {shown}", "", "", ""));
            }
            if self.detail == Detail::Verbose {
                self.evidence(report, check, 2 + 7 + 6);
            }
        }
    }

    fn evidence(&mut self, report: &Report, check: &CheckResult, indent: usize) {
        for observation in check.evidence.iter().filter_map(|index| report.evidence.get(*index)) {
            let line = told(observation);
            for line in wrapped(&line, self.width.saturating_sub(indent + 4).max(30)) {
                self.line(&format!("{:indent$}{}", "", format!("· {line}").dimmed()));
            }
        }
    }

    fn diagnosis(&mut self, number: usize, diagnosis: &Diagnosis) {
        let status = if diagnosis.severity == Severity::Fail { Status::Fail } else { Status::Warn };
        let mark = number.to_string();
        for (index, line) in wrapped(&diagnosis.summary, self.width.saturating_sub(5).max(30)).iter().enumerate() {
            let shown = if index == 0 { mark.as_str() } else { "" };
            self.line(&format!("  {}{}", shown.style(style(status)).to_string_padded(3, shown), line.bold()));
        }
        let change: Vec<&str> = diagnosis.controls.iter().map(|control| control.says()).collect();
        let mut owners: Vec<&str> = Vec::new();
        for remedy in &diagnosis.remedies {
            if !owners.contains(&remedy.owner.as_str()) {
                owners.push(&remedy.owner);
            }
        }
        let sure = match diagnosis.certainty {
            Certainty::Certain => "certain",
            Certainty::Narrowed => "one of these; they cannot be told apart from here",
            Certainty::Suspected => "suspected",
        };
        self.beside("Change", &format!("{} ({sure}) · owner: {}", change.join(" or "), owners.join(", ")));
        for (index, line) in diagnosis.because.iter().enumerate() {
            self.beside(if index == 0 { "Observed" } else { "" }, line);
        }
        self.beside("Means", &diagnosis.means);
        if !diagnosis.ruled_out.is_empty() {
            let out: Vec<&str> = diagnosis.ruled_out.iter().map(|control| control.says()).collect();
            self.beside("Ruled out", &out.join(", "));
        }
        let mut shown: Vec<&str> = Vec::new();
        if let Some(next) = &diagnosis.next {
            let run = diagnosis.next_run.as_deref().unwrap_or_default();
            self.beside("Tell apart", next.strip_suffix(run).unwrap_or(next));
            if !run.is_empty() {
                self.command(run, CommandKind::Read);
                shown.push(run);
            }
        }
        // Several remedies are several ways: their steps are told one by one with -v, or by `explain`.
        let brief = diagnosis.remedies.len() > 1 && self.detail < Detail::Verbose;
        for (index, remedy) in diagnosis.remedies.iter().enumerate() {
            let label = if index == 0 { "Do" } else { "or" };
            self.beside(label, &format!("{} ({})", remedy.title, remedy.owner));
            let steps = if brief && !remedy.commands.is_empty() { &[][..] } else { &remedy.steps };
            for step in steps {
                self.beside("", &format!("- {step}"));
            }
            for command in &remedy.commands {
                if !shown.contains(&command.run.as_str()) {
                    self.command(&command.run, command.kind);
                    shown.push(&command.run);
                }
            }
        }
        for remark in &diagnosis.remarks {
            self.beside("Note", remark);
        }
        self.beside("Verify", &diagnosis.verify);
        if self.detail == Detail::Verbose {
            for source in &diagnosis.sources {
                self.beside("Source", source);
            }
        }
        let steps = if brief { " (or -v: every step)" } else { "" };
        self.beside("More", &format!("entra-preflight explain {}{steps}", diagnosis.cause));
    }

    /// Commands are never broken: they are there to be copied.
    fn command(&mut self, run: &str, kind: CommandKind) {
        let what = match kind {
            CommandKind::Read => "# reads".dimmed().to_string(),
            CommandKind::Change => "# CHANGES".yellow().to_string(),
        };
        for (index, line) in run.lines().enumerate() {
            let what = if index == 0 { what.as_str() } else { "" };
            self.line(&format!("{:16}{}   {what}", "", visible(line).cyan()));
        }
    }

    /// One line for this platform; with -v all of them.
    fn sign_in(&mut self, report: &Report) {
        let all = self.detail == Detail::Verbose;
        let shown: Vec<_> = report.sign_in.iter().filter(|line| all || (line.here && line.client == "psql")).collect();
        for line in &shown {
            let platform = if line.platform == "any" { "" } else { &line.platform };
            let more = if all { "" } else { "(-v: other platforms, connection string, URI, pgAdmin)" };
            self.line(format!("  {} {} {platform} {}", "Sign in:".bold(), line.client, more.dimmed()).trim_end());
            for line in line.run.lines() {
                self.line(&format!("    {}", visible(line).cyan()));
            }
            for line in wrapped(line.note.as_deref().filter(|_| all).unwrap_or_default(), self.width.saturating_sub(4))
            {
                self.line(&format!("    {}", line.dimmed()));
            }
        }
        for remark in report.sign_in_remarks.iter().filter(|_| !shown.is_empty()) {
            for line in wrapped(remark, self.width.saturating_sub(4).max(30)) {
                self.line(&format!("    {line}"));
            }
        }
        if !shown.is_empty() {
            self.blank();
        }
    }

    fn proven(&mut self, report: &Report) {
        let of = |proven: Proven| -> Vec<&str> {
            let rows = report.requirements.iter().filter(|row| row.applies && row.proven == proven);
            rows.map(|row| row.id.as_str()).collect()
        };
        for (label, proven) in [
            ("Proven from here", Proven::Yes),
            ("Not met from here", Proven::No),
            ("Not provable here", Proven::NotFromHere),
            ("Not tested", Proven::NotTested),
        ] {
            let ids = of(proven);
            if !ids.is_empty() {
                let room = self.width.saturating_sub(22).max(30);
                for (index, line) in wrapped(&ids.join(", "), room).iter().enumerate() {
                    let label = if index == 0 { label } else { "" };
                    self.line(&format!("  {label:19} {line}"));
                }
            }
        }
        for line in wrapped(&report.vantage.statement, self.width.saturating_sub(2).max(30)) {
            self.line(&format!("  {}", line.dimmed()));
        }
        let mut names: Vec<String> =
            report.suppressed.iter().map(|row| format!("{} (by {})", row.cause, row.by)).collect();
        names.dedup();
        if !names.is_empty() {
            for line in
                wrapped(&format!("Consequences, not repeated: {}", names.join(", ")), self.width.saturating_sub(2))
            {
                self.line(&format!("  {}", line.dimmed()));
            }
        }
        let counts = &report.counts;
        let mut line = String::new();
        let _ = write!(line, "  {} passed", counts.pass);
        for (count, word) in [
            (counts.warn, "warned"),
            (counts.fail, "failed"),
            (counts.unknown, "undetermined"),
            (counts.skip, "skipped"),
        ] {
            if count > 0 {
                let _ = write!(line, ", {count} {word}");
            }
        }
        let _ = write!(line, " in {:.1} s", report.duration_ms as f64 / 1000.0);
        self.line(&line);
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "names",
        other => other.name(),
    }
}

/// The sentence of a run without a diagnosis.
fn said(report: &Report) -> String {
    let signed_in = report.checks.iter().any(|check| check.id == "login.session" && check.status == Status::Pass);
    match report.verdict {
        Verdict::Pass if signed_in => "Entra sign-in works from here.".to_owned(),
        Verdict::Pass if report.target.server.is_none() => {
            "Everything that was asked for works; no server was named.".to_owned()
        }
        Verdict::Pass => "Everything that was asked for works; no sign-in was tried.".to_owned(),
        Verdict::Unknown => {
            let open: Vec<&str> = report
                .checks
                .iter()
                .filter(|check| check.status == Status::Unknown)
                .map(|check| check.id.as_str())
                .collect();
            format!("Nothing failed, but this could not be determined: {}.", open.join(", "))
        }
        Verdict::Warn => "Everything needed works, with warnings.".to_owned(),
        Verdict::Fail => "Sign-in will not work from here.".to_owned(),
    }
}

/// One observation in one line.
fn told(observation: &Observation) -> String {
    let detail = serde_json::to_value(&observation.detail).unwrap_or_default();
    let inner = detail.as_object().and_then(|members| members.values().next().cloned()).unwrap_or_default();
    let shown: Vec<String> = inner
        .as_object()
        .map(|members| {
            members.iter().filter(|(_, value)| said_something(value)).map(|(name, value)| pair(name, value)).collect()
        })
        .unwrap_or_default();
    let operation = serde_json::to_value(observation.operation).unwrap_or_default();
    let outcome = serde_json::to_value(observation.outcome).unwrap_or_default();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let error = observation.error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default();
    let attempts =
        if observation.attempts > 1 { format!(", {} attempts", observation.attempts) } else { String::new() };
    format!(
        "{}: {}{error}, {} ms{attempts}; {}",
        word(&operation),
        word(&outcome),
        observation.duration_ms,
        shown.join(", ")
    )
}

fn said_something(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null | serde_json::Value::Bool(false) => false,
        serde_json::Value::Array(items) => !items.is_empty(),
        serde_json::Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn pair(name: &str, value: &serde_json::Value) -> String {
    let shown = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) if items.iter().all(serde_json::Value::is_string) => {
            items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    format!("{} {shown}", name.replace('_', " "))
}

/// Styled text padded by what is seen of it, not by its codes.
trait Padded {
    fn to_string_padded(&self, width: usize, plain: &str) -> String;
}

impl<T: std::fmt::Display> Padded for T {
    fn to_string_padded(&self, width: usize, plain: &str) -> String {
        let blanks = width.saturating_sub(plain.chars().count());
        if plain.is_empty() { " ".repeat(blanks) } else { format!("{self}{}", " ".repeat(blanks)) }
    }
}
