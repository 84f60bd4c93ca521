//! Tests of the module as a whole: real conversations, and real children with bad manners.

mod ahead;
mod bolt_children;
mod bolt_deaths;
mod bolt_session;
mod bolt_talk;
mod bolt_time;
mod harness;
mod lessons;
mod msgpack_transcript;
mod requirements;
mod spout_children;
mod spout_session;
mod transcripts;

pub(crate) use transcripts::unquote;
