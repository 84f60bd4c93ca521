//! What a file is known by, whatever it is called: device, inode, and its first bytes.
//!
//! An inode alone is not enough: it is given to another file as soon as the first is removed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How many bytes a fingerprint covers at most.
pub(super) const FINGERPRINT_BYTES: u64 = 1024;

/// A file's place in the file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The device.
    pub(super) device: u64,
    /// The inode.
    pub(super) inode: u64,
}

impl Identity {
    /// The identity that the file system tells.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// A number that is spread well over tasks.
    pub(super) fn spread(self) -> u64 {
        xxh3_64(&self.inode.to_le_bytes())
    }
}

/// A hash of a file's first bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// How many bytes it covers, at most 1,024.
    pub(super) length: u64,
    /// Their xxh3, as hexadecimal digits.
    pub(super) hash: String,
}

impl Fingerprint {
    /// The fingerprint of a file that is at least `length` bytes long.
    pub(super) fn of(file: &File, length: u64) -> io::Result<Self> {
        let length = length.min(FINGERPRINT_BYTES);
        let mut bytes = [0; FINGERPRINT_BYTES as usize];
        let bytes = &mut bytes[..length as usize];
        file.read_exact_at(bytes, 0)?;
        Ok(Self::of_start(bytes))
    }

    /// The fingerprint of a file that starts with these bytes.
    pub(super) fn of_start(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(FINGERPRINT_BYTES as usize)];
        Self { length: bytes.len() as u64, hash: format!("{:016x}", xxh3_64(bytes)) }
    }

    /// Whether the file begins with the same bytes.
    pub(super) fn matches(&self, file: &File) -> io::Result<bool> {
        match Self::of(file, self.length) {
            Ok(now) => Ok(now == *self),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}
