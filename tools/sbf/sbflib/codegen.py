"""Stage 4, code generation: LLVM's stock BPF backend, asked for what SBPF v0 can run.

`-mcpu=v2` is the instruction set without the kernel's newer additions. A frame of the v0 machine is
4,096 bytes and the machine doesn't check it: code that needs more would write into its caller's
variables. Hence the check of every function's frame here, next to the backend's own.
"""
import re
import subprocess

from . import toolchain
from .errors import BuildError
from .lower.refuse import demangle

FRAME = 4096
LLC = ["-march=bpf", "-mcpu=v2", "-mattr=+allows-misaligned-mem-access", f"-bpf-stack-size={FRAME}", "-filetype=obj"]
SIZE_REMARK = re.compile(r"(\d+) stack bytes in function '([^']*)'")
ERROR = re.compile(r"error: .*? in function (\S+) .*?: (.*)")


def generate(bitcode, out):
    """Bitcode to a BPF object, or an error that names the functions at fault."""
    command = [toolchain.LLC, *LLC, "-pass-remarks-analysis=prologepilog", bitcode, "-o", out]
    done = subprocess.run(command, capture_output=True, text=True)
    sizes = {name: int(size) for size, name in SIZE_REMARK.findall(done.stderr)}
    found = [
        f"{demangle(name)} needs a stack frame of {size} bytes, SBF has {FRAME}: put big values in a Box"
        for name, size in sorted(sizes.items()) if size > FRAME
    ]
    for name, reason in ERROR.findall(done.stderr):
        if "BPF stack limit" not in reason or sizes.get(name, 0) <= FRAME:
            found.append(f"{reason} in {demangle(name)}")
    found = list(dict.fromkeys(found))
    if found:
        raise BuildError("can't generate SBF code:\n" + "\n".join("  " + line for line in found[:20]))
    if done.returncode != 0:
        raise BuildError("llc failed: " + done.stderr.strip()[:2000])


def compile_helpers(sources, out_folder):
    """The C helpers as one bitcode file."""
    flags = ["-target", "bpf", "-mcpu=v2", "-Xclang", "-target-feature", "-Xclang", "+allows-misaligned-mem-access"]
    # -O1: at -O2 LLVM recognises sbf_umulh as a 128-bit multiply and writes it as one.
    flags += ["-O1", "-ffreestanding", "-fno-builtin", "-emit-llvm", "-c"]
    parts = []
    for source in sources:
        part = f"{out_folder}/{len(parts)}.bc"
        run(toolchain.CLANG, *flags, source, "-o", part)
        parts.append(part)
    out = out_folder + "/helpers.bc"
    run(toolchain.LLVM + "/bin/llvm-link", *parts, "-o", out)
    return out


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"{command[0]} failed: " + done.stderr.strip()[:2000])
