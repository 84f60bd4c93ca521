//! Loops of tasks, turned by hand.

mod bolts;
mod overload;
mod rig;
mod spouts;
