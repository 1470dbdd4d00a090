//! The binary: the command line, on an allocator of its own.

#![forbid(unsafe_code)]

// Half the resident memory of the system's allocator under a mass alert, and steadier latencies. What one thread makes another
// frees, with each message: jemalloc takes that back in bulk.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    wasl::cli::main()
}
