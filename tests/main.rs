//! Black-box tests, in one binary.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod check;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod plan;
