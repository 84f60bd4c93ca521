//! CEL expressions over the fields of a tuple.
//!
//! Only the fields that an expression names are looked at. Unlike plain CEL, arithmetic on an
//! integer and a float gives a float: JSON writes 2.0 as 2. An expression reads; it changes nothing.

mod convert;
mod evaluate;
mod parse;

pub(super) use evaluate::Evaluator;
pub(super) use parse::{Expression, ExpressionError, function_names};
