//! The topology file: as written, as checked, and as planned.
//!
//! Nothing here starts anything.

mod plan;

pub use plan::{
    Guarantee, LinkKind, Plan, PlannedComponent, PlannedInput, PlannedTask, Program, RestartPolicy,
    RetryPolicy, Settings,
};
