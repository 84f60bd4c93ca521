//! The sockets. The only file that names the `zeromq` crate, which is a framed byte pipe: no
//! reconnecting, no heartbeats, no bounds of use. All of that is built above; nothing is decided here.

use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc::Receiver;
use nix::errno::Errno;
use tokio::select;
use tokio::time::sleep;
use zeromq::{
    DealerSocket, Endpoint, RouterSocket, Socket, SocketEvent, SocketOptions, SocketRecv,
    SocketSend, ZmqError, ZmqMessage,
};

use crate::base::{Timestamp, now};

use super::endpoint::BEFORE_RENAMED;
use super::link::{ConnectionKey, Frame, Hub, HubEvent, Link, LinkError};

impl From<ZmqError> for LinkError {
    fn from(error: ZmqError) -> Self {
        Self(error.to_string().to_lowercase())
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        ZmqError::from(error).into()
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

/// How long nobody is let in after a connection could not be accepted for want of something, such as
/// file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The bound end: one socket for all senders.
///
/// The crate's loop of accepting neither waits nor ends while there are no descriptors left: it fails as
/// fast as the processor can, and each failure is a task. So the listener is ours, the crate is given a
/// copy of it, and loses that for a while when it fails. Who connects meanwhile waits in the listener.
pub(super) struct Router {
    socket: RouterSocket,
    monitor: Receiver<SocketEvent>,
    listener: UnixListener,
    path: PathBuf,
    /// What the crate removes when it loses its copy: the name under which the listener was bound. What
    /// it stands for has another name by then.
    bait: PathBuf,
    door: Door,
}

/// Whether connections are accepted.
enum Door {
    Open(Endpoint),
    ClosedUntil(Timestamp),
}

impl Router {
    /// Binds the Unix socket at `path`.
    pub(super) async fn bind(path: &Path) -> Result<Self, LinkError> {
        let bait = path.with_extension(BEFORE_RENAMED);
        let listener = UnixListener::bind(&bait)?;
        std::fs::rename(&bait, path)?;
        let mut socket = RouterSocket::new();
        let monitor = socket.monitor();
        let path = path.to_owned();
        let door = Door::ClosedUntil(now());
        let mut router = Self { socket, monitor, listener, path, bait, door };
        router.open().await?;
        Ok(router)
    }

    async fn open(&mut self) -> Result<(), LinkError> {
        let copy = self.listener.try_clone()?;
        match symlink(&self.path, &self.bait) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error.into());
            }
            _ => {}
        }
        self.door = Door::Open(self.socket.bind_listener(copy).await?);
        Ok(())
    }

    /// Lets nobody in for a while; false where that is so already. If it is cancelled, the door is
    /// closed nevertheless.
    async fn pause(&mut self) -> bool {
        let Door::Open(endpoint) = &self.door else { return false };
        let endpoint = endpoint.clone();
        self.door = Door::ClosedUntil(now() + PAUSE);
        if let Err(error) = self.socket.unbind(endpoint).await {
            tracing::debug!(%error, "the listener did not close cleanly");
        }
        true
    }
}

/// Whether the next connection would fail as this one did, whoever connects.
fn lacks_resources(error: &ZmqError) -> bool {
    let ZmqError::Network(error) = error else { return false };
    let lacks = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|code| lacks.contains(&Errno::from_raw(code)))
}

impl Hub for Router {
    async fn recv(&mut self) -> Result<HubEvent, LinkError> {
        loop {
            let reopen = async {
                match self.door {
                    Door::Open(_) => std::future::pending().await,
                    Door::ClosedUntil(time) => sleep(time.since(now())).await,
                }
            };
            select! {
                () = reopen => if let Err(error) = self.open().await {
                    self.door = Door::ClosedUntil(now() + PAUSE);
                    return Ok(HubEvent::Failed(error.0));
                },
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
                        if lacks_resources(&error) && !self.pause().await {
                            continue;
                        }
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
        for path in [&self.path, &self.bait] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!(path = %path.display(), %error, "socket was not removed");
                }
                _ => {}
            }
        }
    }
}
