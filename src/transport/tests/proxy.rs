//! A wire between two sockets that can be cut and stalled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::base::{Job, Spawner};

#[derive(Clone, Copy, Default)]
struct Orders {
    /// Connections made before the last cut are closed.
    cuts: u64,
    /// Nothing is passed on, in either direction, on this many connections: the first ones.
    stalled: u64,
}

/// Stands before a worker's socket.
pub(super) struct Proxy {
    pub(super) endpoint: String,
    orders: watch::Sender<Orders>,
    accepted: Arc<AtomicU64>,
}

impl Proxy {
    pub(super) async fn before(endpoint: &str) -> Self {
        let target = endpoint.strip_prefix("tcp://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        let (orders, follow) = watch::channel(Orders::default());
        let accepted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&accepted);
        Spawner::current().spawn(Job::Owned("proxy"), async move {
            while let Ok((near, _)) = listener.accept().await {
                let number = count.fetch_add(1, SeqCst);
                let far = TcpStream::connect(&target).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                for (from, to) in [(near_in, far_out), (far_in, near_out)] {
                    Spawner::current()
                        .spawn(Job::Owned("wire"), pass(number, from, to, follow.clone()));
                }
            }
        });
        Self { endpoint, orders, accepted }
    }

    /// Closes all connections, with whatever is on them.
    pub(super) fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Stops passing anything on over the connections that there are; they stay open.
    pub(super) fn stall(&self) {
        let accepted = self.accepted.load(SeqCst);
        self.orders.send_modify(|orders| orders.stalled = accepted);
    }

    /// Passes on again, also what was stalled.
    pub(super) fn resume(&self) {
        self.orders.send_modify(|orders| orders.stalled = 0);
    }
}

async fn pass(
    number: u64,

    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut orders: watch::Receiver<Orders>,
) {
    let born = orders.borrow_and_update().cuts;
    let mut buffer = vec![0; 8192];
    loop {
        let now = *orders.borrow_and_update();
        if now.cuts != born {
            return;
        }
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            read = from.read(&mut buffer), if now.stalled <= number => match read {
                Ok(count) if count > 0 => {
                    if to.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
