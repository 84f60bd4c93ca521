//! The line about how much memory a plan's queues can take at most.

use crate::topology::{Plan, worst_case_bytes};

/// "at most 3.5MiB waiting in queues"
pub fn memory_line(plan: &Plan) -> String {
    let mebibytes = worst_case_bytes(plan).0 as f64 / f64::from(1 << 20);
    format!("at most {mebibytes:.1}MiB waiting in queues")
}
