//! The `adit` binary; everything is in the library.

fn main() -> std::process::ExitCode {
    adit::cli::main()
}
