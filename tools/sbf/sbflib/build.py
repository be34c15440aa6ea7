"""Runs the stages in order: compile, lower, generate code, relink."""
import os
import sys
import tempfile

from . import codegen, link, lower, toolchain
from . import compile as compile_stage
from .errors import UsageError

HELPERS = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "helpers", name) for name in ("integer.c", "float.c", "memory.c")]


def cache_folder():
    """Everything this tool keeps between runs."""
    return os.path.realpath(os.environ.get("SBF_CACHE") or os.path.expanduser("~/.cache/mppsol-sbf"))


def say(line):
    """One progress line."""
    print("sbf: " + line, file=sys.stderr, flush=True)


def build(program_dir, out, cargo_args):
    """Builds one program."""
    toolchain.require()
    if os.path.isdir(out):
        raise UsageError(f"{out} is a folder; name the output file")
    for folder in (cache_folder(), os.path.dirname(os.path.abspath(out))):
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as e:
            raise UsageError(f"can't make {folder}: {e.strerror}")
    bitcode, library = compile_stage.compile_program(program_dir, cache_folder(), cargo_args, say)
    # SBF_KEEP names a folder to keep the intermediate files in, to look at when something is wrong.
    keep = os.environ.get("SBF_KEEP")
    with tempfile.TemporaryDirectory() as scratch:
        work = keep or scratch
        os.makedirs(work, exist_ok=True)
        say(f"lower: {library}")
        helpers = codegen.compile_helpers(HELPERS, work)
        lower.run(bitcode, helpers, work + "/lowered.bc")
        say("generate code")
        codegen.generate(work + "/lowered.bc", work + "/out.o")
        say("relink")
        with open(work + "/out.o", "rb") as f:
            image = link.relink(f.read())
    with open(out + ".new", "wb") as f:
        f.write(image)
    os.replace(out + ".new", out)
    say(f"built {out} ({len(image)} bytes)")
