"""`cargo build-sbf` as anchor and people call it, on top of `build.py`.

Options that choose among Solana's own toolchains (`--tools-version`, `--arch`, `--sbf-sdk`, …) are taken
and have no effect: there is one toolchain here and its output is SBPF v0, which every cluster runs.
"""
import os
import sys

from . import build as build_stages
from . import compile as compile_stage
from . import keypair
from .errors import BuildError, UsageError

HELP = """\
usage: cargo build-sbf [OPTIONS] [-- CARGO_ARGS...]     (stand-in from tools/sbf)

  --manifest-path PATH     the program's or the workspace's Cargo.toml (default: the current folder's)
  -p, --package NAME       only this program of the workspace
  --sbf-out-dir DIR        where NAME.so goes (default: target/deploy of the workspace)
  --features LIST, --no-default-features, --all-features, --locked, --offline, --frozen, -v, -q
  --tools-version V, --arch A, --sbf-sdk DIR, --jobs N and other choices among Solana's toolchains
                           are accepted without effect; output is SBPF v0
  --help, --version
"""

WITH_VALUE = {"--manifest-path", "-p", "--package", "--sbf-out-dir", "--bpf-out-dir", "--features", "-F"}
IGNORED_WITH_VALUE = {"--tools-version", "--arch", "--sbf-sdk", "--bpf-sdk", "--jobs", "-j"}
IGNORED = {"--force-tools-install", "--no-rustup-override", "--install-only", "--dump", "--generate-child-script-on-failure",
           "--remap-cwd", "--skip-tools-install", "--lto", "--optimize-size", "--workspace", "--debug", "--release", "--lib"}
CARGO_SWITCHES = {"--no-default-features", "--all-features", "--locked", "--offline", "--frozen", "-v", "-vv", "--verbose", "-q", "--quiet"}


def parse(args):
    """(options by name, switches for cargo) out of the command line."""
    options, cargo = {}, []
    args = [a for a in args if a != "--"]  # behind `--` stand cargo's options: the same ones are understood there
    i = 0
    while i < len(args):
        name, has_value, value = args[i].partition("=")
        if name in WITH_VALUE | IGNORED_WITH_VALUE:
            if not has_value:
                i += 1
                if i == len(args):
                    raise UsageError(f"{name} needs a value")
                value = args[i]
            if name in ("--features", "-F"):
                cargo += ["--features", value]
            elif name in WITH_VALUE:
                options[{"-p": "--package", "--bpf-out-dir": "--sbf-out-dir"}.get(name, name)] = value
        elif name in CARGO_SWITCHES:
            cargo.append(name)
        elif name not in IGNORED:
            raise UsageError(f"unknown option {args[i]} (see cargo build-sbf --help)")
        i += 1
    return options, cargo


def programs(manifest, package):
    """The program crates a manifest stands for: itself, or all members of its workspace that have a cdylib."""
    meta = compile_stage.metadata(manifest)
    here = [p for p in meta["packages"] if os.path.realpath(p["manifest_path"]) == os.path.realpath(manifest)]
    wanted = here if here and package is None else meta["packages"]
    found = [
        os.path.dirname(p["manifest_path"])
        for p in wanted
        if package in (None, p["name"]) and any("cdylib" in t["crate_types"] for t in p["targets"])
    ]
    if not found:
        raise UsageError(f"no program (crate-type \"cdylib\") in {manifest}" + (f" named {package}" if package else ""))
    return found, meta


def run(args):
    if args[:1] == ["build-sbf"]:  # cargo passes its subcommand's name on
        args = args[1:]
    if "--help" in args or "-h" in args:
        print(HELP, end="")
        return 0
    if "--version" in args or "-V" in args:
        # The name and shape tools look for; the number is that of the interface this mimics.
        print("solana-cargo-build-sbf 3.1.9 (mppsol tools/sbf stand-in)\nplatform-tools none\nrustc " + build_stages.toolchain.rustc_version())
        return 0
    options, cargo = parse(args)
    manifest = os.path.abspath(options.get("--manifest-path", "Cargo.toml"))
    if not os.path.isfile(manifest):
        raise UsageError(f"no {manifest}")
    build_stages.toolchain.require()
    folders, meta = programs(manifest, options.get("--package"))
    out_dir = options.get("--sbf-out-dir") or os.path.join(os.environ.get("CARGO_TARGET_DIR") or meta["target_directory"], "deploy")
    for folder in folders:
        name = compile_stage.describe(folder)[2]
        build_stages.build(folder, os.path.join(out_dir, name + ".so"), cargo)
        key = os.path.join(out_dir, name + "-keypair.json")
        if not os.path.exists(key):  # Solana's tool leaves one too, for `solana program deploy`
            keypair.write(key)
    return 0


def main(args):
    try:
        return run(args)
    except UsageError as e:
        print(f"cargo-build-sbf: {e}", file=sys.stderr)
        return 2
    except BuildError as e:
        print(f"cargo-build-sbf: {e}", file=sys.stderr)
        return 1
