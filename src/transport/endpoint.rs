//! Addresses: the private folder, its lock and stale sockets, and which addresses are allowed.
//!
//! Never lets a socket be reached from outside this machine or by another user: it takes what is promised
//! to it. Behind `front` a port of the machine can be reached by anybody on it.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::base::WorkerSlot;

use super::TransportOptions;

/// The longest path of a Unix socket, in bytes.
const MAX_PATH: usize = 107;
/// How the name of a socket ends until it listens. No longer than what it is replaced by.
pub(super) const BEFORE_RENAMED: &str = "new";

/// Why a socket could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The folder could not be made or read.
    #[error("could not use folder {path}: {error}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others could reach the sockets in it.
    #[error("folder {path} must belong to this user alone (mode 0700), but has mode {mode:04o}")]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The system allows no longer ones.
    #[error("socket path {path} has {} bytes, but at most {MAX_PATH} work", path.as_os_str().len())]
    PathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// Another process lives at this address.
    #[error("{path} is locked: another worker {slot} runs here")]
    InUse {
        /// The lock file.
        path: PathBuf,
        /// The slot.
        slot: WorkerSlot,
    },
    /// The socket itself failed.
    #[error("could not bind {endpoint}: {reason}")]
    Socket {
        /// The address.
        endpoint: String,
        /// Why.
        reason: String,
    },
}

/// Why a peer's address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `ipc://PATH` nor `tcp://IP:PORT`.
    #[error("\"{endpoint}\" is not an address of a worker")]
    Malformed {
        /// The address.
        endpoint: String,
    },
    /// An address that other machines could stand behind.
    #[error("{endpoint} is not on this machine")]
    NotLocal {
        /// The address.
        endpoint: String,
    },
    /// This life of the peer was removed before; it does not come back.
    #[error("this life of worker {slot} has ended already")]
    Ended {
        /// The peer.
        slot: WorkerSlot,
    },
}

/// An address that is this process's to bind, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Reserved {
    /// What to bind.
    pub(super) endpoint: String,
    /// The socket behind it.
    pub(super) path: PathBuf,
    _lock: File,
}

/// Makes the address of a worker ready to bind: folder, lock, no stale socket. Blocks on the file
/// system for a moment.
pub(super) fn reserve(options: &TransportOptions) -> Result<Reserved, BindError> {
    let folder = |error| BindError::Folder { path: options.endpoint_dir.clone(), error };
    let dir = std::path::absolute(&options.endpoint_dir).map_err(folder)?;
    let path = dir.join(format!("w{}.sock", options.slot));
    if path.as_os_str().len() > MAX_PATH {
        return Err(BindError::PathTooLong { path });
    }
    let Some(text) = path.to_str() else {
        let unreadable = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        return Err(folder(unreadable));
    };
    make_private(&dir)?;
    let lock_path = dir.join(format!("w{}.lock", options.slot));
    let lock = File::create(&lock_path).map_err(folder)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(BindError::InUse { path: lock_path, slot: options.slot });
        }
        Err(TryLockError::Error(error)) => return Err(folder(error)),
    }
    for stale in [path.clone(), path.with_extension(BEFORE_RENAMED)] {
        match std::fs::remove_file(stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(folder(error)),
            _ => {}
        }
    }
    Ok(Reserved { endpoint: format!("ipc://{text}"), path, _lock: lock })
}

fn make_private(dir: &Path) -> Result<(), BindError> {
    let folder = |error| BindError::Folder { path: dir.to_owned(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(folder)?;
    let found = std::fs::metadata(dir).map_err(folder)?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 || found.uid() != nix::unistd::geteuid().as_raw() {
        return Err(BindError::Exposed { path: dir.to_owned(), mode });
    }
    Ok(())
}

/// Checks an address to connect to.
pub(super) fn check(endpoint: &str) -> Result<(), AddressError> {
    let malformed = || AddressError::Malformed { endpoint: endpoint.to_owned() };
    if let Some(path) = endpoint.strip_prefix("ipc://") {
        return if path.starts_with('/') && path.len() <= MAX_PATH {
            Ok(())
        } else {
            Err(malformed())
        };
    }
    let address = endpoint.strip_prefix("tcp://").ok_or_else(malformed)?;
    let address: SocketAddr = address.parse().map_err(|_| malformed())?;
    if address.ip().is_loopback() {
        Ok(())
    } else {
        Err(AddressError::NotLocal { endpoint: endpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{BootId, Incarnation};

    use super::*;

    fn options(dir: &Path) -> TransportOptions {
        TransportOptions::new(WorkerSlot(3), BootId::random(), Incarnation(0), dir.to_owned())
    }

    #[test]
    fn only_local_addresses_are_taken() {
        let far = "tcp://192.0.2.1:5000";
        assert_eq!(check(far), Err(AddressError::NotLocal { endpoint: far.to_owned() }));
        for wrong in ["", "tcp://localhost:1", "udp://127.0.0.1:1", "ipc://", "ipc://*"] {
            assert!(matches!(check(wrong), Err(AddressError::Malformed { .. })));
        }
        assert_eq!(check("tcp://127.0.0.1:1"), Ok(()));
        assert_eq!(check("ipc:///run/galewire/w1.sock"), Ok(()));
    }

    #[test]
    fn an_address_is_one_process_s_at_a_time_and_stale_sockets_go() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("links");
        let first = reserve(&options(&dir)).unwrap();
        let mode = std::fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(dir.join("w3.sock"), "stale").unwrap();
        let refused = reserve(&options(&dir)).unwrap_err();
        assert!(matches!(refused, BindError::InUse { .. }), "{refused}");
        drop(first);
        reserve(&options(&dir)).unwrap();
        assert!(!dir.join("w3.sock").exists());
    }

    #[test]
    fn a_folder_open_to_others_and_a_path_too_long_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        let refused = reserve(&options(&open)).unwrap_err();
        assert!(matches!(refused, BindError::Exposed { mode: 0o755, .. }));
        // Behind the folder comes `/w3.sock`.
        let of_length = |length: usize| {
            dir.path().join("x".repeat(length - 8 - dir.path().as_os_str().len() - 1))
        };
        reserve(&options(&of_length(MAX_PATH))).unwrap();
        let refused = reserve(&options(&of_length(MAX_PATH + 1))).unwrap_err();
        assert!(matches!(refused, BindError::PathTooLong { .. }));
        assert!(refused.to_string().ends_with("has 108 bytes, but at most 107 work"), "{refused}");
    }
}
