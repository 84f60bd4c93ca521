//! The links between worker processes: opaque parts go from one worker to another, in order, once,
//! and survive broken connections.
//!
//! For each directed pair of workers there is one connection that the sender makes to the receiver's
//! bound socket. Batches go forward; acknowledgements, credits and heartbeats come back on it.
//! Two things bound what a sender may have under way: the link's window (bytes sent and not yet taken
//! by the receiving process) and the credit of each consuming task (bytes not yet taken by the task).
//! Acks have a lane and a window of their own and overtake data.
//!
//! The hard logic is pure and sits in `credit`, `sequence`, `queue`, `replies`, `heartbeat`, `gate` and
//! `frame`; `outbound` and `inbound` are the loops that join it to sockets, and `zmq` is the only file
//! that names the `zeromq` crate. A port of TCP is a `front` that passes on to the Unix socket behind it.
//!
//! Nothing here looks into a part, and a frame that was taken is no proof that its tuples were done:
//! only a tuple's ack is.

mod credit;
mod endpoint;
mod event;
mod frame;
mod front;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gate;
mod handle;
mod heartbeat;
mod inbound;
mod inbox;
mod link;
mod options;
mod outbound;
mod peer;
mod queue;
mod replies;
mod sequence;
mod service;
mod stats;
mod zmq;

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

pub use endpoint::{AddressError, BindError};
pub use event::{Inbound, TransportEvent};
pub use handle::{Outbound, Refused};
pub use options::{EndpointKind, Lane, PeerAddress, TransportOptions};

pub use service::{Transport, TransportError};
pub use stats::{PeerStats, TransportStats, Undelivered};
