//! Peers that mean harm, and files that were never meant to be read: whatever comes, the run ends in time, tells the truth, stays small, and
//! gives nothing away.
//!
//! Each table's rows are numbered as the list of hostile peers numbers them (HD: DNS, HT: TCP and TLS, HH: HTTP, HJ: JSON and tokens,
//! HP: PostgreSQL, HL: local inputs). `ROW=substring` chooses rows, `SEED=n` repeats, `SWEEP=all` makes every cut of the truncation sweep.

mod act;
mod cli;
mod dns;
mod grant;
mod json;
mod local;
mod login;
mod message;
mod metadata;
mod nameserver;
mod peer;
mod postgres;
mod program;
mod proxy;
mod relay;
mod row;
mod session;
mod sweep;
mod tls;
mod trust;
