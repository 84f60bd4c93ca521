//! Black-box tests, in one binary.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod bad_bolts;
#[cfg(test)]
mod bad_citizens;
mod bench;
#[cfg(test)]
mod bolt_command;
#[cfg(test)]
mod check;
#[cfg(test)]
mod children;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod dlq;
mod docs;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod ids_ahead;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod orphans;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod requirements;
#[cfg(test)]
mod scaffold;
#[cfg(test)]
mod stall;
#[cfg(test)]
mod storm_scripts;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod values;
