//! What the loops need from sockets. The implementation is in `zmq`.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

/// One message on a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Header and, in batches, the table of parts.
    pub(super) head: Bytes,
    /// The parts' bytes, end to end; empty but in batches.
    pub(super) body: Bytes,
}

impl Frame {
    /// A frame without parts.
    pub(super) fn bare(head: Vec<u8>) -> Self {
        Self { head: Bytes::from(head), body: Bytes::new() }
    }
}

/// A socket failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct LinkError(pub(super) String);

/// The sending worker's end of a connection. Once an error is seen it must be dropped.
pub(super) trait Link: Sized + Send + 'static {
    /// Connects; never takes longer than `timeout`.
    fn connect(
        endpoint: &str,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self, LinkError>> + Send;
    /// Queues a frame. Must not be cancelled: the frame would be lost.
    fn send(&mut self, frame: Frame) -> impl Future<Output = Result<(), LinkError>> + Send;
    /// The next frame. May be cancelled.
    fn recv(&mut self) -> impl Future<Output = Result<Frame, LinkError>> + Send;
}

/// One connection to a [`Hub`], for as long as it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ConnectionKey(pub(super) Bytes);

/// What a hub has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HubEvent {
    /// A frame came.
    Frame(ConnectionKey, Frame),
    /// Who connected did not greet as a worker does.
    Failed(String),
    /// Something came that is not a frame of ours.
    Garbage(String),
}

/// The receiving worker's bound socket.
pub(super) trait Hub: Send + 'static {
    /// The next event. May be cancelled.
    fn recv(&mut self) -> impl Future<Output = Result<HubEvent, LinkError>> + Send;
    /// Queues a frame to one connection. Must not be cancelled.
    fn send(
        &mut self,
        to: &ConnectionKey,
        frame: Frame,
    ) -> impl Future<Output = Result<(), LinkError>> + Send;
    /// Stops listening and frees the address.
    fn close(self) -> impl Future<Output = ()> + Send;
}
