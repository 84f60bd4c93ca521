//! Storm's XOR acking: sums on the way, and the ledger of open roots beside each spout task.
//!
//! Pure: no clock, no queues, no I/O. The algorithm is Storm's ("Guaranteeing message processing"):
//! every edge of a tuple tree is XORed into its root's entry when it is sent and again when it is
//! acked, in any order, so the entry is zero when, and but for chance of 2^-64 only when, the tree is done.

mod batch;
mod ledger;
mod sums;
mod view;

pub use batch::{AckBatch, AckEntry, FailEntry};
pub use ledger::{Ledger, Settled};
pub use sums::EdgeSums;
pub use view::{Touched, WorkerView};
