//! One test binary: everything is tested from outside, by running the program, except what only its source can show.

mod catalogue;
mod house;
mod namespaces;
mod real;
mod scenarios;
mod stories;
