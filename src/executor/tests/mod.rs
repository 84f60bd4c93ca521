//! Loops of tasks, turned by hand.

mod bolts;
mod finals;
mod overload;
mod rig;
mod spouts;
