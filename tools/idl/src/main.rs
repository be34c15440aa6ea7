//! Writes an Anchor program's IDL with the ordinary compiler: `mppsol-idl PROGRAM_DIR OUT.json`.
//!
//! It does what `anchor idl build` does, without the anchor command line: compiles the program
//! natively with its feature `idl-build` and collects what the generated tests print. The same
//! sources give the same bytes.
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anchor_lang_idl::{build::IdlBuilder, types::Idl};

const HELP: &str = "\
usage: mppsol-idl PROGRAM_DIR OUT.json

Writes the IDL of the Anchor program in PROGRAM_DIR, which needs the feature `idl-build`.
Exit codes: 0 done, 1 the program does not build, 2 wrong usage.
";

/// What went wrong, by exit code.
enum Failure {
    Usage(String),
    Build(String),
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if matches!(args.as_slice(), [flag] if flag == "--help" || flag == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(line)) => {
            eprintln!("mppsol-idl: {line}");
            ExitCode::from(2)
        }
        Err(Failure::Build(line)) => {
            eprintln!("mppsol-idl: {line}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    let [program, out] = args else {
        return Err(Failure::Usage("usage: mppsol-idl PROGRAM_DIR OUT.json".into()));
    };
    if !Path::new(program).join("Cargo.toml").is_file() {
        return Err(Failure::Usage(format!("no Cargo.toml in {program}")));
    }
    // Absolute, because the builder changes folders and hands this to the compiler's macros.
    let program = fs::canonicalize(program).map_err(|e| Failure::Usage(format!("{program}: {e}")))?;
    let idl = build(program)?;
    write(&idl, Path::new(out))
}

fn build(program: PathBuf) -> Result<Idl, Failure> {
    choose_toolchain();
    IdlBuilder::new().program_path(program).build().map_err(|e| Failure::Build(e.to_string()))
}

/// Makes the builder's plain `cargo` the one this was started with.
///
/// Under rustup RUSTUP_TOOLCHAIN is set, and anchor-lang-idl 0.1.4 then runs `cargo +{toolchain}`
/// with those braces in it. So the variable goes, and the toolchain's own folder leads the PATH.
fn choose_toolchain() {
    if env::var_os("RUSTUP_TOOLCHAIN").is_none() {
        return;
    }
    env::remove_var("RUSTUP_TOOLCHAIN");
    let Some(folder) = env::var_os("CARGO").and_then(|cargo| Some(PathBuf::from(cargo).parent()?.to_owned())) else {
        return;
    };
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder).chain(env::split_paths(&path));
    if let Ok(joined) = env::join_paths(folders) {
        env::set_var("PATH", joined);
    }
}

fn write(idl: &Idl, out: &Path) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(idl).map_err(|e| Failure::Build(e.to_string()))?;
    if let Some(parent) = out.parent() {
        fs::create_dir_all(parent).map_err(|e| Failure::Usage(format!("{}: {e}", parent.display())))?;
    }
    fs::write(out, format!("{json}\n")).map_err(|e| Failure::Usage(format!("{}: {e}", out.display())))
}
