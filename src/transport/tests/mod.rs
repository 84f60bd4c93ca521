//! Links through real sockets, with real failures.

mod broken;
mod flow;
mod harness;
mod lives;
mod process;
mod proxy;
mod strangers;
