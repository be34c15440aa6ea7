"""Memory calls: long copies and fills become the VM's syscalls, short compares become loads.

A syscall copies for about 10 units plus a quarter unit a byte; inline code costs two units per
8 bytes. Up to 64 bytes inline wins or ties, and the backend unrolls it by itself.
"""
import re

from .. import llvm
from ..llvm import C

INLINE_BYTES = 64
INTRINSIC = re.compile(r"llvm\.(memcpy|memmove|memset)\.")
COMPARES = ("bcmp", "memcmp")


def calls(module):
    return [i for f in module.defined() for i in llvm.instructions(f) if C.GetInstructionOpcode(i) == llvm.CALL]


def constant(value):
    """The value of a constant integer, else None."""
    return C.ConstIntGetZExtValue(value) if C.IsAConstantInt(value) else None


def lower(module):
    """Turns copies and fills of unknown or big length into syscalls."""
    for call in calls(module):
        match = INTRINSIC.match(llvm.callee_name(call))
        if not match:
            continue
        target, source, length = llvm.arguments(call)[:3]
        if (constant(length) or 0) <= INLINE_BYTES and constant(length) is not None:
            continue
        module.before(call)
        length = C.BuildZExt(module.builder, length, module.int_type(64), b"") if llvm.bits(C.TypeOf(length)) < 64 else length
        module.call(f"sol_{match.group(1)}_", module.void, [target, source, length])
        C.InstructionEraseFromParent(call)


def expand_equality(module):
    """Compares of a few whole words, like two addresses of 32 bytes, as loads instead of a call.

    Only `bcmp`, whose answer is just equal or not; `memcmp` with an order stays a call.
    """
    for call in calls(module):
        if llvm.callee_name(call) != "bcmp":
            continue
        a, b, length = llvm.arguments(call)
        size = constant(length)
        if not size or size % 8 or size > INLINE_BYTES:
            continue
        builder, word = module.before(call), module.int_type(64)
        difference = None
        for offset in range(0, size, 8):
            x, y = (C.BuildLoad2(builder, word, module.gep(p, offset), b"") for p in (a, b))
            C.SetAlignment(x, 1)
            C.SetAlignment(y, 1)
            words = C.BuildXor(builder, x, y, b"")
            difference = words if difference is None else C.BuildOr(builder, difference, words, b"")
        differs = C.BuildICmp(builder, llvm.NE, difference, module.const(64, 0), b"")
        llvm.replace(call, C.BuildZExt(builder, differs, C.TypeOf(call), b""))
