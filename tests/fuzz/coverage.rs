//! Edges that the compiler counts (SanitizerCoverage, inline 8-bit counters). Without its flags there are none, and the fuzzer goes blind.

use std::collections::HashSet;
use std::sync::Mutex;

/// Where counters lie: address and length. The linker joins those of all crates, and each crate's start tells of them again.
static COUNTERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// # Safety
/// The compiler's own code calls this before `main`, with the bounds of a static array.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let mut counters = COUNTERS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = (start as usize, stop as usize - start as usize);
    if place.1 > 0 && !counters.contains(&place) {
        counters.push(place);
    }
}

const LINE: usize = 128;

/// What was reached so far: an edge, and roughly how often in one execution.
#[derive(Default)]
pub struct Coverage(HashSet<(usize, u8)>);

impl Coverage {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets what the fuzzer's own code has counted.
    pub fn reset() {
        each(|_, counter| *counter = 0);
    }

    /// Whether the execution since the reset went where none went before.
    pub fn learns(&mut self) -> bool {
        let mut new = false;
        each(|edge, counter| {
            if *counter > 0 {
                // 1, 2, 3, 4 to 7, 8 to 15…: a loop that turns once more is no news.
                let often = if *counter < 4 { *counter } else { 1 + counter.ilog2() as u8 };
                new |= self.0.insert((edge, often));
            }
        });
        new
    }
}

fn each(mut look: impl FnMut(usize, &mut u8)) {
    let counters = COUNTERS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for (start, length) in counters.iter().copied() {
        // SAFETY: the bounds are those of a static array of the instrumented code; a race with another thread's count costs a count.
        let counted = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, length) };
        // Nearly all are zero: whole lines of them are passed over.
        for (line, counted) in
            counted.chunks_mut(LINE).enumerate().filter(|(_, line)| line.iter().fold(0, |any, count| any | count) > 0)
        {
            for (place, counter) in counted.iter_mut().enumerate() {
                look(start + line * LINE + place, counter);
            }
        }
    }
}
