//! Links through real sockets, with real failures.

mod broken;
mod flow;
mod harness;
mod late;
mod lives;
mod process;
mod proxy;
mod strangers;
mod vanished;
