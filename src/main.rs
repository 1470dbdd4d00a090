//! The binary: the command line, on a small allocator.

#![forbid(unsafe_code)]

// Half the resident memory of the system's allocator under a mass alert, and steadier latencies. Built without huge pages: an
// idle service takes 20 MiB instead of 65.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wasl::cli::main()
}
