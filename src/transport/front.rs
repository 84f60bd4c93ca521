//! The loopback port of a worker with `link = "tcp"`: passes on to its Unix socket what the gate lets
//! through, and closes the rest.
//!
//! Any user of the machine can connect here, so nothing is believed, and nothing is kept but one buffer
//! for each direction.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::select;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::base::{Job, Spawner};

use super::gate::{Gate, Intrusion};
use super::service::Shared;

/// Connections at once whose hello has not come.
const STRANGERS: usize = 100;
/// How long a hello may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are passed on at once.
const CHUNK: usize = 64 << 10;
/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(10);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Intrusion(#[from] Intrusion),
    #[error("a stranger connected and said nothing of use for {}s", PATIENCE.as_secs())]
    Silent,
    /// Nothing to complain of: a link that was cut, or somebody who looks which ports are open.
    #[error("it was closed before its hello")]
    Early,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A port that is open, until it is closed.
pub(super) struct Front {
    /// Where it is.
    pub(super) endpoint: String,
    job: JoinHandle<Option<()>>,
}

impl Front {
    /// Opens a free port before the Unix socket at `path`.
    pub(super) async fn open(path: PathBuf, shared: Arc<Shared>, io: &Spawner) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        let spawner = io.clone();
        let job = io.spawn(Job::Vital("connections from peers"), async move {
            accept(&listener, &path, &shared, &spawner).await;
        });
        Ok(Self { endpoint, job })
    }

    /// Closes it. Connections end with the socket behind them.
    pub(super) async fn close(self) {
        self.job.abort();
        if self.job.await.is_err() {
            tracing::trace!("the port is closed");
        }
    }
}

async fn accept(listener: &TcpListener, path: &Path, shared: &Arc<Shared>, io: &Spawner) {
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let near = match listener.accept().await {
            Ok((near, _)) => near,
            Err(error) => {
                shared.garbage(None, format!("a connection failed: {error}"));
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&strangers).try_acquire_owned() else {
            shared.garbage(None, format!("{STRANGERS} strangers are connected already"));
            continue;
        };
        let (path, shared) = (path.to_owned(), Arc::clone(shared));
        io.spawn(Job::Owned("connection from a peer"), async move {
            match pass(near, &path, &shared, permit).await {
                Ok(()) => {}
                Err(error @ (Closed::Early | Closed::Io(_))) => {
                    tracing::debug!(%error, "a connection ended");
                }
                Err(closed) => shared.garbage(None, closed.to_string()),
            }
        });
    }
}

/// Passes on until either side closes; `stranger` is given back as soon as the hello has come.
async fn pass<P>(
    mut near: TcpStream,
    path: &Path,
    shared: &Shared,
    stranger: P,
) -> Result<(), Closed> {
    near.set_nodelay(true)?;
    let mut far = UnixStream::connect(path).await?;
    let options = &shared.options;
    let mut gate = Gate::new(options.boot, options.max_frame.max(options.batch_bytes));
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let proof = async {
        let mut buffer = [0; 1 << 10];
        while !gate.is_proven() {
            let count = near_in.read(&mut buffer).await?;
            if count == 0 {
                return Err(Closed::Early);
            }
            gate.judge(&buffer[..count])?;
            far_out.write_all(&buffer[..count]).await?;
        }
        Ok(())
    };
    let back = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = far_in.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            near_out.write_all(&buffer[..count]).await?;
        }
    };
    tokio::pin!(back);
    select! {
        proven = timeout(PATIENCE, proof) => proven.map_err(|_| Closed::Silent)??,
        ended = &mut back => return ended,
    }
    drop(stranger);
    let forth = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = near_in.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            gate.judge(&buffer[..count])?;
            far_out.write_all(&buffer[..count]).await?;
        }
    };
    select! {
        ended = forth => ended,
        ended = back => ended,
    }
}
