//! Black-box tests, in one binary.

mod architecture;
mod check;
mod cli;
mod kinds;
mod plan;
