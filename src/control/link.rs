//! The control socket: framed JSON over a Unix socket.

use std::io;
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// Longest message; a worker's report of a thousand tasks stays well below.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Why the link ended.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket failed.
    #[error("control socket: {0}")]
    Io(#[from] io::Error),
    /// The other side sent what is no message.
    #[error("control message: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The other side sent a message without end.
    #[error("control message of more than {MAX_MESSAGE} bytes")]
    TooLong,
}

/// The receiving half.
#[derive(Debug)]
pub struct Received<T> {
    reader: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
    kind: PhantomData<T>,
}

impl<T: DeserializeOwned> Received<T> {
    /// The next message; `None` when the other side has closed. May be cancelled without losing one.
    ///
    /// # Errors
    /// A broken socket or message; the link is of no use afterwards.
    pub async fn next(&mut self) -> Result<Option<T>, ControlError> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(chunk.len(), |at| at + 1);
            self.line.extend_from_slice(&chunk[..taken]);
            self.reader.consume(taken);
            if end.is_some() {
                let message = serde_json::from_slice(&self.line);
                self.line.clear();
                return Ok(Some(message?));
            }
            if self.line.len() > MAX_MESSAGE {
                return Err(ControlError::TooLong);
            }
        }
    }
}

/// The sending half.
#[derive(Debug)]
pub struct Sender<T> {
    writer: OwnedWriteHalf,
    kind: PhantomData<T>,
}

impl<T: Serialize> Sender<T> {
    /// Sends a message. Must not be cancelled: half a message would stay on the socket.
    ///
    /// # Errors
    /// A broken socket.
    pub async fn send(&mut self, message: &T) -> Result<(), ControlError> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.writer.write_all(&line).await?;
        Ok(())
    }
}

fn split<In, Out>(stream: UnixStream) -> (Received<In>, Sender<Out>) {
    let (read, write) = stream.into_split();
    let received = Received { reader: BufReader::new(read), line: Vec::new(), kind: PhantomData };
    (received, Sender { writer: write, kind: PhantomData })
}

/// The supervisor's end.
#[derive(Debug)]
pub struct Listener(UnixListener);

impl Listener {
    /// Binds a fresh socket; the folder must be private.
    ///
    /// # Errors
    /// A socket that cannot be bound.
    pub fn bind(path: &Path) -> io::Result<Self> {
        UnixListener::bind(path).map(Self)
    }

    /// The next worker that connects.
    ///
    /// # Errors
    /// A broken listener.
    pub async fn accept<In, Out>(&self) -> io::Result<(Received<In>, Sender<Out>)> {
        let (stream, _) = self.0.accept().await?;
        Ok(split(stream))
    }
}

/// Connects to the supervisor.
///
/// # Errors
/// A socket that cannot be reached.
pub async fn connect<In, Out>(path: &Path) -> io::Result<(Received<In>, Sender<Out>)> {
    Ok(split(UnixStream::connect(path).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_without_end_is_an_error_and_one_of_the_greatest_length_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = Listener::bind(&path).unwrap();
        let (_kept, mut sender) = connect::<String, String>(&path).await.unwrap();
        let (mut received, back) = listener.accept::<String, String>().await.unwrap();
        // Two quotes belong to it.
        let greatest = "x".repeat(MAX_MESSAGE - 2);
        let more = format!("{greatest}{}", "x".repeat(64 << 10));
        let sent = greatest.clone();
        let sending = async {
            sender.send(&sent).await.unwrap();
            // The other side hangs up in the middle of it.
            let _ = sender.send(&more).await;
        };
        let receiving = async {
            assert_eq!(received.next().await.unwrap().as_ref(), Some(&greatest));
            assert!(matches!(received.next().await, Err(ControlError::TooLong)));
            drop((received, back));
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test]
    async fn messages_cross_and_a_closed_socket_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = Listener::bind(&path).unwrap();
        let (_, mut sender) = connect::<String, String>(&path).await.unwrap();
        let (mut received, _back) = listener.accept::<String, String>().await.unwrap();
        sender.send(&"one\ntwo".to_owned()).await.unwrap();
        assert_eq!(received.next().await.unwrap(), Some("one\ntwo".to_owned()));
        drop(sender);
        // The receiving half of the client was dropped above, so the stream is closed.
        assert_eq!(received.next().await.unwrap(), None);
    }
}
