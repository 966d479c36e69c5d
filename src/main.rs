//! The binary: one allocator, one crypto provider, and the subcommand that was asked for.

use std::process::ExitCode;

/// glibc's allocator keeps the peak of the first lists for ever; this one gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The provider is named here, so that a dependency that brings another one cannot make the choice ambiguous, which
    // rustls answers with a panic at the first connection. An error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    microservice_operator::cli::run_as_named()
}
