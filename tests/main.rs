//! Black-box tests, in one binary.

mod architecture;
mod bad_citizens;
mod check;
mod cli;
mod examples;
mod faults;
mod harness;
mod kinds;
mod plan;
