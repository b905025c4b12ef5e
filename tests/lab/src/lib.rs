//! A miniature Azure in one process: real protocols on loopback sockets, faults as data.
//!
//! A [`story::Story`] says what packets and peers do; a [`world::World`] does it; [`run::story`] runs the real program in that world and
//! compares what it reports with what the story expects.

pub mod az;
pub mod ca;
pub mod catalogs;
pub mod cloud;
mod command;
pub mod directory;
pub mod dns;
pub mod entra;
pub mod graph;
mod ground;
pub mod host;
pub mod http;
pub mod judge;
mod loopback;
pub mod metadata;
pub mod names;
#[cfg(target_os = "linux")]
pub mod namespaces;
pub mod pages;
pub mod pairs;
pub mod paste;
pub mod plan;
pub mod postgres;
pub mod proof;
pub mod proxy;
pub mod replay;
pub mod run;
pub mod scenario;
pub mod score;
pub mod secrets;
pub mod select;
pub mod silence;
mod socks;
pub mod story;
pub mod tap;
pub mod tls;
pub mod token;
pub mod waits;
pub mod world;
