//! Arguments in, exit status out.

use std::cell::Cell;
use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use entra_preflight::catalogue::Catalogue;
use entra_preflight::cli::{CheckArgs, Cli, ColorArg, Command, FailOn, ListFormat, Outputs};
use entra_preflight::evidence::Recorder;
use entra_preflight::page::live;
use entra_preflight::report::Report;
use entra_preflight::terms::Verdict;
use entra_preflight::{cli, page, report};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Bad usage or bad input: nothing was probed.
const USAGE: u8 = 2;
const UNKNOWN: u8 = 3;
/// So long the report may take to be written once a signal has come.
const WRITING: Duration = Duration::from_secs(1);
/// Two workers, the trusted roots, the live line, and a lookup for each name of a usual run.
const THREADS: usize = 8;
/// Between two runs of `--wait`: a change of NSG, route, DNS or role takes seconds to minutes to be seen.
const PAUSE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // A signal that comes before the first packet must not cost the report.
    entra_preflight::hold_signals();
    entra_preflight::guard_memory();
    // A probe that panics costs only itself; its message could quote what it had in hand, so only its place is told.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|location| format!(" at {}:{}", location.file(), location.line()));
        let _ = writeln!(std::io::stderr(), "entra-preflight: a defect{}", place.unwrap_or_default());
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let status = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    match run(cli) {
        Ok(status) => ExitCode::from(status),
        Err(sentence) => {
            let _ = writeln!(anstream::stderr(), "entra-preflight: {}", page::visible(&sentence));
            ExitCode::from(USAGE)
        }
    }
}

fn run(cli: Cli) -> Result<u8, String> {
    let checks = match &cli.command {
        None => !cli.check.reads_stdin(),
        Some(Command::Check(args)) => !args.reads_stdin(),
        Some(_) => false,
    };
    if !checks {
        entra_preflight::release_signals();
        if let Some(signal) = entra_preflight::held_signal() {
            return Ok(128 + signal);
        }
    }
    match cli.command {
        None => check(cli.check),
        Some(Command::Check(args)) => check(*args),
        Some(Command::List { facts, format, common }) => {
            colour(common.color);
            let catalogue = Catalogue::load(&common.checks)?;
            let text = page::list(&catalogue, facts, format == ListFormat::Json);
            print(&text)
        }
        Some(Command::Explain { id, common }) => {
            colour(common.color);
            let catalogue = Catalogue::load(&common.checks)?;
            print(&page::explain(&catalogue, &id)?)
        }
        Some(Command::Replay { report, output, common }) => {
            colour(common.color);
            let catalogue = Catalogue::load(&common.checks)?;
            let (stamp, evidence) = report::saved(&report)?;
            let outputs = Outputs::open(&output)?;
            let report = entra_preflight::judge(stamp, evidence, &catalogue);
            outputs.report(&report)?;
            Ok(status(&report, FailOn::Fail))
        }
        Some(Command::Schema) => print(&report::schema()),
        Some(Command::Plan(args)) => plan(*args),
        Some(Command::Completions { shell }) => print(&cli::completions(shell)),
    }
}

fn print(text: &str) -> Result<u8, String> {
    match anstream::stdout().write_all(text.as_bytes()) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(0),
    }
}

fn colour(choice: ColorArg) {
    match choice {
        ColorArg::Auto => anstream::ColorChoice::Auto,
        ColorArg::Always => anstream::ColorChoice::Always,
        ColorArg::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

fn check(mut args: CheckArgs) -> Result<u8, String> {
    colour(args.common.color);
    let catalogue = Catalogue::load(&args.common.checks)?;
    let fail_on = args.fail_on;
    let wanted = std::mem::take(&mut args.output);
    let wait = args.wait;
    let mut target = cli::target(args.clone(), &catalogue).map_err(|error| error.to_string())?;
    // Opened before the first packet, and after everything else was found good: a refused run leaves an older report alone.
    let outputs = Outputs::open(&wanted)?;
    let no_threads = |error| format!("this machine gives no threads to work with: {error}; nothing was probed");
    spare_threads().map_err(no_threads)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(no_threads)?;
    let mut signals = runtime
        .block_on(async { Signals::listen() })
        .map_err(|error| format!("this machine lets no signal be heard: {error}; nothing was probed"))?;
    let signalled = Cell::new(None);
    let until = wait.map(|wait| Instant::now() + wait);
    let report = runtime.block_on(async {
        let mut stop = pin!(async { signalled.set(Some(signals.next().await)) });
        loop {
            let recorder = Recorder::new();
            let live = live::begin(&recorder);
            let report = entra_preflight::check(target, &catalogue, &recorder, stop.as_mut()).await;
            live.end();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let again = report.verdict != Verdict::Pass && left.is_some_and(|left| left > PAUSE);
            if !again || signalled.get().is_some() {
                return report;
            }
            tell_wait(report.verdict, left.unwrap_or_default());
            tokio::select! {
                () = stop.as_mut() => return report,
                () = tokio::time::sleep(PAUSE) => {}
            }
            // Read anew: a token, a certificate or a nameserver may be what was changed.
            target = match cli::target(args.clone(), &catalogue) {
                Ok(target) => target,
                Err(error) => {
                    let _ = writeln!(anstream::stderr(), "entra-preflight: {}", page::visible(&error.to_string()));
                    return report;
                }
            };
        }
    });
    // Whoever reads the report may never do so: a signal then still ends the program.
    runtime.spawn(async move {
        let signal = signals.next().await;
        tokio::time::sleep(WRITING).await;
        std::process::exit(i32::from(128 + signal));
    });
    let written = outputs.report(&report);
    // getaddrinfo cannot be cancelled; whoever waits for it is left behind.
    runtime.shutdown_background();
    written?;
    Ok(signalled.get().map_or_else(|| status(&report, fail_on), |signal| 128 + signal))
}

/// What would be contacted, in text or JSON, on standard output or in a file.
fn plan(mut args: CheckArgs) -> Result<u8, String> {
    colour(args.common.color);
    let catalogue = Catalogue::load(&args.common.checks)?;
    let wanted = std::mem::take(&mut args.output);
    let target = cli::target(args, &catalogue).map_err(|error| error.to_string())?;
    let outputs = Outputs::open(&wanted)?;
    let plan = entra_preflight::plan(target, &catalogue);
    outputs.write(|_, width| page::plan(&plan, width), || page::plan_json(&plan))?;
    Ok(0)
}

fn tell_wait(verdict: Verdict, left: Duration) {
    let (verdict, pause, left) = (format!("{verdict:?}").to_lowercase(), PAUSE.as_secs(), left.as_secs());
    let _ = writeln!(anstream::stderr(), "entra-preflight: {verdict}; once more in {pause} s ({left} s left)");
}

/// Meets the system's refusal of threads before anything is probed: tokio panics, or waits for ever, where one of its workers cannot start,
/// and a lookup that finds no thread would look like a resolver that does not answer.
fn spare_threads() -> std::io::Result<()> {
    let gate = Arc::new(std::sync::Mutex::new(()));
    let closed = gate.lock();
    let waiting = |_| {
        let gate = gate.clone();
        std::thread::Builder::new().spawn(move || drop(gate.lock()))
    };
    let threads = (0..THREADS).map(waiting).collect::<Result<Vec<_>, _>>();
    drop(closed);
    for thread in threads? {
        let _ = thread.join();
    }
    Ok(())
}

/// The signals that ask us to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// One that came before anybody could listen.
    held: Option<u8>,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Signals { interrupt, terminate, held: entra_preflight::held_signal() })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        if let Some(signal) = self.held.take() {
            return signal;
        }
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

/// Computed once, from the report, for every format.
fn status(report: &Report, fail_on: FailOn) -> u8 {
    match report.verdict {
        Verdict::Pass => 0,
        Verdict::Warn => u8::from(fail_on == FailOn::Warn),
        Verdict::Fail => 1,
        Verdict::Unknown => UNKNOWN,
    }
}
