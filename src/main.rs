//! The `galewire` command.

use galewire::component::Registry;

fn main() -> std::process::ExitCode {
    galewire::cli::main_with(Registry::new())
}
