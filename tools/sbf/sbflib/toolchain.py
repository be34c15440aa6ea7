"""The Debian packages this tool stands on: where they are, which versions, how to install them."""
import os
import shutil
import subprocess

from .errors import UsageError

PACKAGES = ["rustc-web", "rust-web-src", "cargo-web", "llvm-22", "clang-22", "python3"]
RUSTC = "/usr/bin/rustc"
CARGO = "/usr/bin/cargo"
LLVM = "/usr/lib/llvm-22"
OPT = LLVM + "/bin/opt"
LLC = LLVM + "/bin/llc"
LIBLLVM = LLVM + "/lib/libLLVM.so.1"
CLANG = LLVM + "/bin/clang"
CXXFILT = LLVM + "/bin/llvm-cxxfilt"
STD_SOURCE = "/usr/lib/rustlib/src/rust/library"
NEEDED_FILES = [RUSTC, CARGO, LLC, LIBLLVM, CLANG, CXXFILT, STD_SOURCE + "/std/Cargo.toml"]

# The std patches and the IR passes are written against these.
RUST_VERSION = "1.96."
LLVM_MAJOR = "22"


def output_of(*command):
    """First line a command prints, or None when it can't be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.splitlines()[0].strip() if done.stdout else ""


def missing_packages():
    """The packages that dpkg doesn't know as installed."""
    return [p for p in PACKAGES if output_of("dpkg-query", "-W", "-f", "${db:Status-Abbrev}\n", p) != "ii"]


def problems():
    """What stands in the way of a build, as lines for the user; empty when all is well."""
    found = ["missing file " + f + " (run: sbf install)" for f in NEEDED_FILES if not os.path.exists(f)]
    if found:
        return found
    version = output_of(RUSTC, "-V") or ""
    if not version.startswith("rustc " + RUST_VERSION):
        found.append(f"{RUSTC} is '{version}', this tool is written for rustc {RUST_VERSION}x (package rustc-web)")
    return found


def require():
    """Stops with one line unless the toolchain is there."""
    found = problems()
    if found:
        raise UsageError(found[0])


def rustc_version():
    """The version of Debian's rustc, as in `1.96.0`."""
    return (output_of(RUSTC, "-V") or "").split()[1]


def install():
    """Installs the packages that are missing; does nothing when none is."""
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        raise UsageError("install needs a Debian system (no dpkg-query or apt-get here); see tools/sbf/README.md")
    missing = missing_packages()
    if not missing:
        return []
    become = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise UsageError("neither root nor sudo; ask an administrator for: apt-get install " + " ".join(missing))
        become = ["sudo"]
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *missing]):
        if subprocess.run(become + command, env=env).returncode != 0:
            raise UsageError("failed: " + " ".join(become + command))
    return missing
