//! What the simulator is asked: many seeds, one seed twice, and whether it sees enough.

mod runs;
