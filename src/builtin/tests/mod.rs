//! Tests of several built-ins at once. None runs an engine.

mod speed;
