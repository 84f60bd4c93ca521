//! Tests of the module as a whole: real conversations, and real children with bad manners.

mod bolt_children;
mod bolt_session;
mod harness;
mod spout_children;
mod spout_session;
mod transcripts;
