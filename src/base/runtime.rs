//! The threads of a process, and the only place that spawns: a tokio runtime for I/O, executors for tasks.
//!
//! I/O (sockets, pipes, heartbeats, control) has threads of its own, so that a bolt that burns CPU
//! delays its own tuples and not the links.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::Alarms;
use super::executors::Executors;

/// What a spawned job's end means to its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// A panic in it ends the process: nothing works without it.
    Vital(&'static str),
    /// A panic in it is logged; whoever waits for its result handles the rest.
    Owned(&'static str),
}

impl Job {
    /// What its panic means; does not return where that is the end of the process.
    pub(super) fn has_panicked(self, reason: &str) {
        match self {
            Self::Vital(name) => {
                tracing::error!(job = name, reason, "vital job panicked; the process ends");
                std::process::abort();
            }
            Self::Owned(name) => tracing::error!(job = name, reason, "job panicked"),
        }
    }
}

/// Starts jobs on one runtime.
#[derive(Clone, Debug)]
pub struct Spawner(Handle);

impl Spawner {
    /// A spawner for the runtime that the caller runs in.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn current() -> Self {
        Self(Handle::current())
    }

    /// Starts `future` on this runtime.
    pub fn spawn<F>(&self, job: Job, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(watch(job, future))
    }

    /// Runs a closure that blocks on a thread of its own.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.spawn_blocking(run)
    }

    /// Runs `future` on this runtime and blocks the calling thread until it is done.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

async fn watch<F: Future>(job: Job, future: F) -> Option<F::Output> {
    match CatchPanic(Box::pin(AssertUnwindSafe(future))).await {
        Ok(output) => Some(output),
        Err(reason) => {
            job.has_panicked(&reason);
            None
        }
    }
}

struct CatchPanic<F>(std::pin::Pin<Box<AssertUnwindSafe<F>>>);

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, String>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let inner = &mut self.0;
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(cx))) {
            Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
            Ok(std::task::Poll::Ready(output)) => std::task::Poll::Ready(Ok(output)),
            Err(panic) => std::task::Poll::Ready(Err(panic_text(panic.as_ref()))),
        }
    }
}

/// Starts a thread for what waits where there is no runtime.
///
/// # Errors
/// Where the system gives no thread.
pub fn start_thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

/// The runtimes of one process.
#[derive(Debug)]
pub struct Runtimes {
    io: Arc<Runtime>,
    executors: Option<Executors>,
    alarms: Alarms,
}

/// Starts tasks on the executor threads.
#[derive(Clone, Debug)]
pub struct TaskSpawner(Executors);

impl TaskSpawner {
    /// Starts a task, which may wait for doorbells and alarms and for nothing that needs a runtime.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, job: Job, future: F) {
        self.0.spawn(job, future);
    }
}

impl Runtimes {
    /// An I/O runtime alone, for processes that run no tasks.
    pub fn io_only() -> io::Result<Self> {
        Ok(Self { io: Arc::new(io_runtime()?), executors: None, alarms: Alarms::default() })
    }

    /// I/O and executors; `threads` executor threads.
    pub fn with_executors(threads: usize) -> io::Result<Self> {
        let alarms = Alarms::default();
        let executors = Some(Executors::start(threads.max(1), alarms.clone())?);
        Ok(Self { io: Arc::new(io_runtime()?), executors, alarms })
    }

    /// Where sockets, pipes and timers live.
    pub fn io(&self) -> Spawner {
        Spawner(self.io.handle().clone())
    }

    /// Where tasks run, where there are executors.
    pub fn executors(&self) -> Option<TaskSpawner> {
        self.executors.clone().map(TaskSpawner)
    }

    /// The alarms of the tasks, which the executors ring.
    pub fn alarms(&self) -> Alarms {
        self.alarms.clone()
    }

    /// Stops both without waiting for blocked threads longer than `grace`.
    pub fn shut_down(self, grace: Duration) {
        if let Some(executors) = self.executors {
            executors.shut_down(grace);
        }
        if let Some(io) = Arc::into_inner(self.io) {
            io.shutdown_timeout(grace);
        }
    }
}

fn io_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("io").enable_all().build()
}
