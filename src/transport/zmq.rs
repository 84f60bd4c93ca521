//! The sockets. The only file that names the `zeromq` crate, which is a framed byte pipe: no
//! reconnecting, no heartbeats, no bounds of use. All of that is built above; nothing is decided here.

use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc::Receiver;
use tokio::select;
use zeromq::{
    DealerSocket, RouterSocket, Socket, SocketEvent, SocketOptions, SocketRecv, SocketSend,
    ZmqError, ZmqMessage,
};

use super::link::{ConnectionKey, Frame, Hub, HubEvent, Link, LinkError};

impl From<ZmqError> for LinkError {
    fn from(error: ZmqError) -> Self {
        Self(error.to_string().to_lowercase())
    }
}

fn to_message(frame: Frame) -> ZmqMessage {
    let mut message = ZmqMessage::from(frame.head);
    if !frame.body.is_empty() {
        message.push_back(frame.body);
    }
    message
}

fn to_frame(mut pieces: impl Iterator<Item = Bytes>) -> Result<Frame, LinkError> {
    let frame =
        Frame { head: pieces.next().unwrap_or_default(), body: pieces.next().unwrap_or_default() };
    match pieces.next() {
        None => Ok(frame),
        Some(_) => Err(LinkError("a message has more than two pieces".to_owned())),
    }
}

/// The connecting end: a socket with exactly one connection, known to the hub by a fresh identity.
pub(super) struct Dealer {
    socket: DealerSocket,
    monitor: Receiver<SocketEvent>,
}

impl Link for Dealer {
    async fn connect(endpoint: &str, timeout: Duration) -> Result<Self, LinkError> {
        let mut options = SocketOptions::default();
        options.connect_timeout(timeout);
        let mut socket = DealerSocket::with_options(options);
        let monitor = socket.monitor();
        socket.connect(endpoint).await?;
        Ok(Self { socket, monitor })
    }

    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        Ok(self.socket.send(to_message(frame)).await?)
    }

    async fn recv(&mut self) -> Result<Frame, LinkError> {
        loop {
            // The socket's own `recv` stays silent when its only connection ends: the monitor tells.
            select! {
                message = self.socket.recv() => return to_frame(message?.into_vecdeque().into_iter()),
                event = self.monitor.recv() => if let Ok(SocketEvent::Disconnected(_)) | Err(_) = event {
                    return Err(LinkError("the peer closed the connection".to_owned()));
                },
            }
        }
    }
}

/// The bound end: one socket for all senders.
pub(super) struct Router {
    socket: RouterSocket,
    monitor: Receiver<SocketEvent>,
}

impl Router {
    /// Binds and says which address it became (a free port has a number then).
    pub(super) async fn bind(endpoint: &str) -> Result<(Self, String), LinkError> {
        let mut socket = RouterSocket::new();
        let monitor = socket.monitor();
        let bound = socket.bind(endpoint).await?;
        Ok((Self { socket, monitor }, bound.to_string()))
    }
}

impl Hub for Router {
    async fn recv(&mut self) -> Result<HubEvent, LinkError> {
        loop {
            select! {
                message = self.socket.recv() => {
                    let mut pieces = message?.into_vecdeque().into_iter();
                    let key = ConnectionKey(pieces.next().unwrap_or_default());
                    return Ok(match to_frame(pieces) {
                        Ok(frame) => HubEvent::Frame(key, frame),
                        Err(error) => HubEvent::Garbage(error.0),
                    });
                }
                event = self.monitor.recv() => match event {
                    Ok(SocketEvent::AcceptFailed(error)) => {
                        return Ok(HubEvent::Failed(error.to_string()));
                    }
                    Ok(_) => {}
                    Err(_) => return Err(LinkError("the socket's monitor ended".to_owned())),
                },
            }
        }
    }

    async fn send(&mut self, to: &ConnectionKey, frame: Frame) -> Result<(), LinkError> {
        let mut message = to_message(frame);
        message.push_front(to.0.clone());
        Ok(self.socket.send(message).await?)
    }

    async fn close(self) {
        for error in self.socket.close().await {
            tracing::debug!(%error, "socket did not close cleanly");
        }
    }
}
