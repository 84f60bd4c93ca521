//! The `galewire` command.

fn main() {}
