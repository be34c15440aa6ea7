"""Runs the stages in order: compile, lower, generate code, relink."""
import os
import subprocess
import sys
import tempfile

from . import compile as compile_stage
from . import toolchain
from .errors import BuildError


def cache_folder():
    """Everything this tool keeps between runs."""
    return os.path.realpath(os.environ.get("SBF_CACHE") or os.path.expanduser("~/.cache/mppsol-sbf"))


def say(line):
    """One progress line."""
    print("sbf: " + line, file=sys.stderr, flush=True)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or (command[0] == toolchain.LLC and done.stderr):
        raise BuildError("\n".join(sorted(set((done.stdout + done.stderr).splitlines()))[:20]))


def build(program_dir, out, cargo_args):
    """Builds one program."""
    toolchain.require()
    os.makedirs(cache_folder(), exist_ok=True)
    bitcode, library = compile_stage.compile_program(program_dir, cache_folder(), cargo_args, say)
    p = os.path.join(os.path.dirname(__file__), "proto") + "/"
    say("lower: " + library)
    with tempfile.TemporaryDirectory() as t:
        t += "/"
        run(toolchain.CLANG, "-w", "-target", "bpf", "-mcpu=v2", "-Xclang", "-target-feature", "-Xclang", "+allows-misaligned-mem-access", "-O2", "-emit-llvm", "-c", p + "helpers.c", "-o", t + "helpers.bc")
        run(toolchain.OPT, "-passes=strip,instnamer", bitcode, "-S", "-o", t + "in.ll")
        run(sys.executable, p + "lower.py", t + "in.ll", p + "prelude.ll", t + "low.ll")
        run(toolchain.LLVM + "/bin/llvm-link", t + "low.ll", t + "helpers.bc", "-o", t + "all.bc")
        run(toolchain.OPT, "-passes=internalize,globaldce,always-inline,function(sroa,instcombine,simplifycfg,early-cse,dse),globaldce", "-internalize-public-api-list=entrypoint", t + "all.bc", "-S", "-o", t + "opt.ll")
        run(sys.executable, p + "mem.py", t + "opt.ll", t + "fin.ll", "64")
        run(toolchain.OPT, "-passes=globaldce", t + "fin.ll", "-o", t + "fin.bc")
        run(toolchain.LLC, "-march=bpf", "-mcpu=v2", "-mattr=+allows-misaligned-mem-access", "-bpf-stack-size=4096", "-filetype=obj", t + "fin.bc", "-o", t + "out.o")
        os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
        run(sys.executable, p + "link.py", t + "out.o", out)
    say(f"built {out} ({os.path.getsize(out)} bytes)")
