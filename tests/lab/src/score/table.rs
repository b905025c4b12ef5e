//! The score as a person reads it.

use std::fmt::Write;
use std::time::Duration;

use super::{Grade, NONE, Row, Size, UNEXPLAINED, failing};

/// The contract's controls, in its order, each with a heading.
const CONTROLS: [(&str, &str); 11] = [
    ("nsg", "nsg"),
    ("route_table", "route"),
    ("firewall", "firew"),
    ("proxy", "proxy"),
    ("tls_inspection", "inspe"),
    ("dns", "dns"),
    ("identity", "ident"),
    ("role", "role"),
    ("server", "serv"),
    ("host", "host"),
    ("service", "servi"),
];
/// A loaded machine may add so many time limits to a run.
const MARGIN: f64 = 0.5;

/// Everything that there is to say about these runs.
pub fn printed(rows: &[Row]) -> String {
    let mut text = String::new();
    let count = |grade: Grade| rows.iter().filter(|row| row.grade == grade).count();
    let healthy = rows.iter().filter(|row| row.healthy).count();
    for (grade, label, remark) in [
        (Grade::Exact, "exact", "as the story says, one control for each fault".to_owned()),
        (Grade::Narrowed, "narrowed", "several controls fit the evidence: exactly those were named".to_owned()),
        (Grade::Wrong, "wrong", "another cause, a set wider or narrower than the class, a broken promise".to_owned()),
        (Grade::FalseAlarm, "false alarm", format!("of {healthy} runs in healthy worlds")),
        (Grade::Unknown, "unknown", "nothing was found, or nothing that has a name".to_owned()),
    ] {
        let _ = writeln!(text, "  {label:<12}{:>7}   {remark}", count(grade));
    }
    text.push('\n');
    matrix(&mut text, rows);
    faults(&mut text, rows);
    slow(&mut text, rows);
    text
}

/// Rows: the control to blame, of a class the first. Columns: the first control reported; then what became of classes.
fn matrix(text: &mut String, rows: &[Row]) {
    let columns: Vec<(&str, &str)> = CONTROLS.into_iter().chain([(NONE, "none"), (UNEXPLAINED, "unexp")]).collect();
    let named: Vec<_> = rows.iter().flat_map(|row| &row.named).collect();
    let headings: String = columns.iter().map(|(_, heading)| format!("{heading:>7}")).collect();
    let _ =
        writeln!(text, "  {:<16}{headings}   {:>7}{:>7}{:>7}{:>7}", "to blame", "classes", "same", "wider", "narrow");
    for (injected, _) in CONTROLS.into_iter().chain([(NONE, "none")]) {
        let mine: Vec<_> = named.iter().filter(|one| one.injected == injected).collect();
        let cells: String = columns
            .iter()
            .map(|(reported, _)| match mine.iter().filter(|one| one.reported == *reported).count() {
                0 => format!("{:>7}", "."),
                some => format!("{some:>7}"),
            })
            .collect();
        let classes = mine.iter().filter(|one| one.class > 1).count();
        let of = |size: Size| mine.iter().filter(|one| one.size == size).count();
        let (same, wider, narrow) = (of(Size::Same), of(Size::Wider), of(Size::Narrower));
        let _ = writeln!(text, "  {injected:<16}{cells}   {classes:>7}{same:>7}{wider:>7}{narrow:>7}");
    }
}

fn faults(text: &mut String, rows: &[Row]) {
    for (name, told, failed) in failing(rows) {
        let flickers = if failed.len() < told { "flickers" } else { "fails" };
        let seeds: Vec<String> = failed.iter().take(8).map(|row| row.seed.to_string()).collect();
        let _ = writeln!(text, "\n  {name} {flickers}: {} of {told}, seeds {}", failed.len(), seeds.join(" "));
        for difference in failed.first().into_iter().flat_map(|row| &row.wrong).take(6) {
            let _ = writeln!(text, "    - {difference}");
        }
    }
}

/// Runs that took longer than a healthy one and the time limit of what failed, or that waited in vain twice in a row.
fn slow(text: &mut String, rows: &[Row]) {
    let mut healthy: Vec<Duration> = rows.iter().filter(|row| row.healthy).filter_map(|row| row.took).collect();
    healthy.sort();
    let median = healthy.get(healthy.len() / 2).copied().unwrap_or(Duration::from_millis(300));
    let allowed = |row: &Row| median + row.longest + row.timeout.mul_f64(MARGIN);
    let mut slow: Vec<&Row> =
        rows.iter().filter(|row| row.waits.len() > 1 || row.took.is_some_and(|took| took > allowed(row))).collect();
    slow.sort_by(|one, other| one.story.cmp(&other.story).then(other.limits().total_cmp(&one.limits())));
    slow.dedup_by(|later, first| later.story == first.story);
    slow.sort_by(|one, other| other.limits().total_cmp(&one.limits()));
    let _ = writeln!(text, "\n  a healthy run takes {} ms (median)", median.as_millis());
    for row in slow {
        let waits = if row.waits.len() > 1 { format!("; waits: {}", row.waits.join(", then ")) } else { String::new() };
        let _ = writeln!(
            text,
            "  longer than that and one wait: {}, {:.2} time limits of {:?}, seed {}{waits}",
            row.story,
            row.limits(),
            row.timeout,
            row.seed
        );
    }
}
