//! Fuzzing: whatever a peer or a user writes, its parser neither panics nor hangs.
//!
//! `cargo test --test all fuzz` gives each target a second. `FUZZ_SECONDS=600 cargo test --release --test all fuzz::dns` gives one target ten
//! minutes; `FUZZ_SEED=n` repeats, `FUZZ_INPUT=file` runs the one input of that file. On stable Rust, too, the fuzzer is guided by coverage when the compiler counts edges:
//!
//! ```text
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
//!   -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Clink-arg=tests/fuzz/coverage.ld" \
//! FUZZ_SECONDS=600 cargo test --release --target x86_64-unknown-linux-gnu --test all fuzz::dns
//! ```

mod coverage;
mod driver;
mod files;
mod mutate;
mod peers;
