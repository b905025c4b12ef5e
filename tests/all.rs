//! One test binary: everything is tested from outside, by running the program, except what only its source can show.

mod bad_input;
mod catalogue;
mod contract;
mod credentials;
mod entra;
mod fuzz;
mod hostile;
mod house;
mod impostors;
mod limits;
mod namespaces;
mod pairs;
mod plan;
mod real;
mod replay;
mod reported;
mod scenarios;
mod secrecy;
mod stories;
mod wait;
