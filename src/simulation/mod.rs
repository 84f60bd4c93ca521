//! The engine in a deterministic simulator: thousands of small runs, each from one seed.
//!
//! The parts are the real ones: coordinator, task loops with ledger and lanes, peers and inboxes of the
//! links, sessions of children, restart policies, placement. A virtual clock and a queue of events stand
//! for the threads, dice for the world around: wires that are cut, workers and children that die,
//! components that ack late or never. An oracle beside it all knows what must hold. Nothing here
//! reads the real clock, and one seed gives one run.

mod bolts;
mod books;
mod children;
mod faults;
mod judge;
mod loops;
mod oracle;
mod policies;
mod queue;
mod scenario;
mod spouts;
mod stage;
mod supervisor;
mod tests;
mod wires;
mod worker;
mod world;
