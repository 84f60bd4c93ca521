//! Loops of tasks, turned by hand.

mod bolts;
mod rig;
mod spouts;
