//! A live line on standard error while a run goes on, only on a terminal: what is being waited for.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::evidence::Recorder;

/// A run that is over before this needs no company.
const PATIENCE: Duration = Duration::from_millis(300);
const BEAT: Duration = Duration::from_millis(100);
const COLUMNS: usize = 72;

pub struct Live(Option<(Arc<AtomicBool>, JoinHandle<()>)>);

pub fn begin(recorder: &Recorder) -> Live {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if !std::io::stderr().is_terminal() || dumb {
        return Live(None);
    }
    let over = Arc::new(AtomicBool::new(false));
    let (recorder, seen) = (recorder.clone(), over.clone());
    let thread = std::thread::Builder::new().spawn(move || {
        let mut drawn = false;
        while !seen.load(Ordering::Relaxed) {
            if recorder.elapsed() > PATIENCE
                && let Some(phrase) = recorder.waiting_for()
            {
                let line = format!("{:.1} s  waiting for {phrase}", recorder.elapsed().as_secs_f64());
                let _ = write!(std::io::stderr(), "\r\x1b[K{}", super::wrap::cut(&line, COLUMNS));
                drawn = true;
            }
            std::thread::park_timeout(BEAT);
        }
        if drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    });
    Live(thread.ok().map(|thread| (over, thread)))
}

impl Live {
    pub fn end(self) {
        if let Some((over, thread)) = self.0 {
            over.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
