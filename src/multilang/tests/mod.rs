//! Tests of the module as a whole: real conversations and real children.
