//! The `galewire` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let registry = galewire::multilang::register(galewire::builtin::registry());
    galewire::cli::main_with(registry)
}
