"""The command line: parses, dispatches, turns errors into one line and an exit code."""
import os
import sys

from . import build as build_stages
from . import keypair, toolchain
from .errors import BuildError, UsageError

VERSION = "0.1.0"

HELP = """\
Builds Solana programs with a stock compiler: Debian's rustc and LLVM, no Solana platform-tools.

usage: sbf COMMAND

  install                     install the Debian packages this needs (safe to run twice)
  build PROGRAM_DIR OUT.so    build the program crate in PROGRAM_DIR
      --features LIST         cargo features
      --no-default-features   likewise; also: --all-features --locked --offline --frozen
      -v, --verbose           cargo says more
  keypair FILE                write a new Solana keypair, unless FILE is there (for tests: anchor
                              wants a wallet, and solana-keygen may not be installed)
  doctor                      say whether this machine can build, and what is missing
  --help, --version

Environment: SBF_CACHE (default ~/.cache/mppsol-sbf) holds the compiled std and build output.
Exit codes: 0 done, 1 the program can't be built, 2 wrong usage or missing toolchain.
Anchor: put the folder bin/ next to this file on the PATH, then `anchor build` uses it.
"""

CARGO_SWITCHES = ("--no-default-features", "--all-features", "--locked", "--offline", "--frozen", "-v", "--verbose", "-vv", "-q", "--quiet")


def split_cargo_args(args):
    """Separates the options that go to cargo from the rest."""
    cargo, rest, i = [], [], 0
    while i < len(args):
        arg = args[i]
        if arg in CARGO_SWITCHES or arg.startswith("--features="):
            cargo.append(arg)
        elif arg in ("--features", "-F"):
            if i + 1 == len(args):
                raise UsageError(f"{arg} needs a value")
            cargo += ["--features", args[i + 1]]
            i += 1
        elif arg.startswith("-"):
            raise UsageError(f"unknown option {arg} (see sbf --help)")
        else:
            rest.append(arg)
        i += 1
    return cargo, rest


def command_build(args):
    cargo, rest = split_cargo_args(args)
    if len(rest) != 2:
        raise UsageError("usage: sbf build PROGRAM_DIR OUT.so")
    build_stages.build(rest[0], rest[1], cargo)


def command_install(args):
    if args:
        raise UsageError("install takes no arguments")
    installed = toolchain.install()
    print("installed " + " ".join(installed) if installed else "nothing to install")


def command_doctor(args):
    if args:
        raise UsageError("doctor takes no arguments")
    found = toolchain.problems()
    for line in found:
        print("problem: " + line)
    if found:
        return 1
    print(f"rustc {toolchain.rustc_version()}, {toolchain.output_of(toolchain.CLANG, '--version')}")
    print("cache " + build_stages.cache_folder())
    print("ready")
    return 0


def command_keypair(args):
    if len(args) != 1 or args[0].startswith("-"):
        raise UsageError("usage: sbf keypair FILE")
    if not os.path.exists(args[0]):
        try:
            keypair.write(args[0])
        except OSError as e:
            raise UsageError(f"can't write {args[0]}: {e.strerror}")


COMMANDS = {"build": command_build, "keypair": command_keypair, "install": command_install, "doctor": command_doctor}


def main(args):
    if args in (["--help"], ["-h"], ["help"]):
        print(HELP, end="")
        return 0
    if args in (["--version"], ["-V"]):
        print("sbf " + VERSION)
        return 0
    try:
        if not args or args[0] not in COMMANDS:
            raise UsageError("no command (see sbf --help)" if not args else f"unknown command {args[0]} (see sbf --help)")
        if "--help" in args[1:] or "-h" in args[1:]:
            print(HELP, end="")
            return 0
        return COMMANDS[args[0]](args[1:]) or 0
    except UsageError as e:
        print(f"sbf: {e}", file=sys.stderr)
        return 2
    except BuildError as e:
        print(f"sbf: {e}", file=sys.stderr)
        return 1
