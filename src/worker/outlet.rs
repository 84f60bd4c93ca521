//! From lanes into the transport.

use crate::base::{Signal, TaskId};
use crate::executor::{Refused, RemoteLink};
use crate::transport::{self, Outbound};

/// The way to one other worker. While that worker is being replaced its lanes are full: what is
/// emitted meanwhile waits for the successor.
pub(crate) struct Outlet(pub(crate) Outbound);

impl RemoteLink for Outlet {
    fn try_send(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused> {
        self.0.try_send(task, part, waiter).map_err(refused)
    }

    fn try_send_acks(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused> {
        self.0.try_send_acks(task, part, waiter).map_err(refused)
    }
}

fn refused(refused: transport::Refused) -> Refused {
    match refused {
        transport::Refused::Full(part) | transport::Refused::Gone(part) => Refused::Full(part),
        transport::Refused::BadSize(part) => Refused::TooLarge(part),
    }
}
