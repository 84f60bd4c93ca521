//! Storm's own client libraries and other people's, each as it was released, under the real engine.
//!
//! `tests/clients.sh` installs them from their registries. What users write for each stands in
//! `docs/storm.md`; that is what is run here. `scripts/` holds word count as users of each library
//! write it. No library can be had for PHP and for Perl: the two there are our own.

mod installed;
mod msgpack;
mod recognised;
mod released;
mod streamparse;
mod word_count;
