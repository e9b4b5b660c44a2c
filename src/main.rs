//! The `syncline` program: hands its arguments to the library and its answer to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(syncline::cli::main(std::env::args_os()))
}
