"""The compiler's view of the machine: the custom target, the flags and the environment cargo runs in."""
import json
import os
import shutil

from . import toolchain

NAME = "sbf-solana"

# What differs from rustc's own `bpfel-unknown-none`:
# - os = solana is what `#[cfg(target_os = "solana")]` in every Solana crate asks for;
# - one thread; misaligned access allowed: true of the Solana VM, not of the kernel's BPF;
# - objects are bitcode, so that the "linked" crate is one LLVM module for the next stage.
SPEC = {
    "arch": "bpf",
    "atomic-cas": True,
    "cpu": "v2",
    "crt-objects-fallback": "false",
    "data-layout": "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128",
    "dynamic-linking": True,
    "features": "+allows-misaligned-mem-access",
    "linker-flavor": "bpf",
    "linker-is-gnu": False,
    "llvm-target": "bpfel",
    "max-atomic-width": 64,
    "merge-functions": "disabled",
    "min-atomic-width": 8,
    "no-builtins": True,
    "obj-is-bitcode": True,
    "os": "solana",
    "panic-strategy": "abort",
    "position-independent-executables": True,
    "singlethread": True,
    "target-pointer-width": 64,
    "vendor": "solana",
}

# immediate-abort: a panic is the `abort` syscall; formatting its message would cost 20 kB of program.
# inline-max-stacksize: a handler whose frame is big must not be inlined into `entrypoint`, because
# all the frames would add up there and one frame holds 4,096 bytes.
RUSTFLAGS = [
    "-Crelocation-model=static",
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Cllvm-args=-inline-max-stacksize=512",
]

# What the later stages need; overflow checks stay the workspace's own choice.
# Line tables are for error messages only and are dropped before code generation.
PROFILE = {"PANIC": "abort", "LTO": "fat", "CODEGEN_UNITS": "1", "OPT_LEVEL": "3", "DEBUG": "line-tables-only", "STRIP": "none", "INCREMENTAL": "false"}


def write_spec(cache):
    """Puts the target file and the linker stand-in into the cache; returns the linker's path."""
    home = spec_folder(cache)
    os.makedirs(home, exist_ok=True)
    spec = os.path.join(home, NAME + ".json")
    linker = os.path.join(home, "linker")
    replace_when_different(spec, json.dumps(SPEC, indent=2, sort_keys=True) + "\n")
    with open(os.path.join(os.path.dirname(__file__), "linker")) as f:
        replace_when_different(linker, f.read())
    os.chmod(linker, 0o755)
    return linker


def spec_folder(cache):
    """Where rustc looks the target's name up."""
    return os.path.join(cache, "target-spec")


def replace_when_different(path, text):
    """Writes a file without touching one that already says the same: cargo goes by times."""
    if os.path.exists(path):
        with open(path) as f:
            if f.read() == text:
                return
    with open(path + ".new", "w") as f:
        f.write(text)
    os.replace(path + ".new", path)


def environment(flags, target_dir, cache):
    """The environment for Debian's cargo; RUSTC_BOOTSTRAP opens the unstable flags, here and nowhere else.

    The target goes by its name and RUST_TARGET_PATH: cargo hashes the path of a target given as a file
    into every crate's identity, and programs would differ between machines.
    """
    env = dict(os.environ)
    for name in list(env):
        if name.startswith("CARGO_PROFILE_RELEASE_") or name in (
            "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC", "CARGO",
        ):
            del env[name]
    env["PATH"] = os.path.dirname(toolchain.CARGO) + os.pathsep + env.get("PATH", "")
    env["RUSTC"] = toolchain.RUSTC
    env["RUSTC_BOOTSTRAP"] = "1"
    env["RUST_TARGET_PATH"] = spec_folder(cache)
    env["CARGO_TARGET_DIR"] = target_dir
    env["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
    for key, value in PROFILE.items():
        env["CARGO_PROFILE_RELEASE_" + key] = value
    return env


def remap_flags(pairs):
    """Flags that make compiled-in paths the same on every machine; rustc lets the last match win."""
    return [f"--remap-path-prefix={old}={new}" for old, new in pairs]
