"""Stage 2, compile: cargo turns the program and everything under it into one LLVM module.

`cargo rustc --crate-type cdylib` and not `cargo build`: Anchor's `crate-type = ["cdylib", "lib"]` in
one go makes rustc leave LTO out, and the next stages want the whole program in one module.
"""
import hashlib
import json
import os
import subprocess

from . import std, target, toolchain
from .errors import BuildError, UsageError


def metadata(manifest):
    """cargo's own view of the package; the workspace's root among it."""
    command = [toolchain.CARGO, "metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest]
    env = dict(os.environ, RUSTC=toolchain.RUSTC)
    env.pop("RUSTUP_TOOLCHAIN", None)
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UsageError(f"{manifest}: " + " ".join(" ".join(lines).split())[:400])
    return json.loads(done.stdout)


def describe(program_dir):
    """(manifest, package, library name, workspace root) of a program crate."""
    manifest = os.path.join(os.path.realpath(program_dir), "Cargo.toml")
    if not os.path.isfile(manifest):
        raise UsageError(f"no Cargo.toml in {program_dir}")
    meta = metadata(manifest)
    package = next((p for p in meta["packages"] if os.path.realpath(p["manifest_path"]) == manifest), None)
    if package is None:
        raise UsageError(f"{manifest} is a workspace, not a program: name the program's own folder")
    library = next((t["name"] for t in package["targets"] if "cdylib" in t["crate_types"]), None)
    if library is None:
        raise UsageError(f"{package['name']} is no program: its [lib] has no crate-type \"cdylib\"")
    return manifest, package["name"], library, os.path.realpath(meta["workspace_root"])


def cargo_home():
    """Where cargo keeps the sources of dependencies."""
    return os.path.realpath(os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo"))


def registry_folders():
    """Where cargo has unpacked packages: one folder per registry index."""
    sources = os.path.join(cargo_home(), "registry", "src")
    return [os.path.join(sources, index) for index in sorted(os.listdir(sources))] if os.path.isdir(sources) else []


def remaps(workspace, library):
    """Prefixes that would tell where this machine keeps things, and what stands there instead.

    The registry folder's name holds a hash of the index's address, which differs between mirrors.
    """
    pairs = [(workspace + "/", ""), (cargo_home(), "/cargo")]
    pairs += [(folder, "/cargo/registry") for folder in registry_folders()]
    return pairs + [(library, "/std")]


def compile_program(program_dir, cache, cargo_args, say):
    """Runs cargo; returns (path of the program's bitcode, library name)."""
    manifest, package, library, workspace = describe(program_dir)
    root = std.sysroot(cache, say)
    linker = target.write_spec(cache)
    # One target folder per workspace: cargo can't tell two checkouts of the same sources apart.
    own = os.path.join(cache, "build", os.path.basename(workspace) + "-" + hashlib.sha256(workspace.encode()).hexdigest()[:12])
    target_dir = os.path.abspath(os.environ.get("SBF_TARGET_DIR") or own)
    run = [toolchain.CARGO, "rustc", "--lib", "--release", "--manifest-path", manifest]
    run += ["--crate-type", "cdylib", "--target", target.NAME, *cargo_args]
    say(f"compile: {package}")
    if not registry_folders():  # the folders to remap can be listed only once something is unpacked
        fetch = [toolchain.CARGO, "fetch", "--quiet", "--manifest-path", manifest]
        subprocess.run(fetch, env=target.environment([], target_dir, cache), cwd=workspace)
    flags = target.RUSTFLAGS + [f"-Clinker={linker}", f"--sysroot={root}"]
    flags += target.remap_flags(remaps(workspace, os.path.join(cache, "std-" + std.fingerprint(), "library")))
    env = target.environment(flags, target_dir, cache)
    if subprocess.run(run, env=env, cwd=workspace).returncode != 0:
        raise BuildError(f"{package} does not compile (see above)")
    out = os.path.join(target_dir, target.NAME, "release")
    for name in (f"lib{library}.so", f"{library}.so"):
        path = os.path.join(out, name)
        if os.path.exists(path):
            if os.path.getsize(path) == 0:
                raise BuildError(f"{package} exports no `entrypoint`: is it built with the feature no-entrypoint?")
            return path, library
    raise BuildError(f"cargo left no lib{library}.so in {out}")
