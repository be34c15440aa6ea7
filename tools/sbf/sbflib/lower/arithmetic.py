"""Integer arithmetic the backend lacks: wide multiply, divide and shift, signed divide, checked multiply.

The backend turns these into calls of compiler-rt functions and then refuses the calls; here they
become calls of the functions in helpers.c, which are linked in as bitcode.
"""
import re

from .. import llvm
from ..llvm import C

DIVISIONS = {llvm.UDIV: "udiv", llvm.UREM: "urem", llvm.SDIV: "sdiv", llvm.SREM: "srem"}
SHIFTS = {llvm.SHL: "shl", llvm.LSHR: "lshr", llvm.ASHR: "ashr"}
FUNNEL = re.compile(r"llvm\.(fsh[lr])\.i128$")
CHECKED = re.compile(r"llvm\.([us])mul\.with\.overflow\.i(\d+)$")


def resize(module, value, width, signed):
    """Widens or narrows an integer to a width."""
    old = llvm.bits(C.TypeOf(value))
    to = module.int_type(width)
    if old == width:
        return value
    if old > width:
        return C.BuildTrunc(module.builder, value, to, b"")
    return (C.BuildSExt if signed else C.BuildZExt)(module.builder, value, to, b"")


def wide(width):
    """The helper's width for an integer width."""
    return 64 if width <= 64 else 128


def through(module, helper, values, width, signed):
    """Calls a helper of a wider type on integers and narrows its result."""
    size = wide(width)
    result = module.call(f"{helper}{size}", module.int_type(size), [resize(module, v, size, signed) for v in values])
    return resize(module, result, width, signed)


def checked_multiply(module, call, signed, width):
    """{product, overflowed} of llvm.[us]mul.with.overflow."""
    a, b = llvm.arguments(call)[:2]
    builder = module.builder
    if width == 128:
        slot = entry_slot(module, call, 128)
        module.before(call)
        overflow = module.call(f"sbf_{'s' if signed else 'u'}mulo128", module.int_type(64), [a, b, slot])
        overflow = C.BuildTrunc(builder, overflow, module.int_type(1), b"")
        product = C.BuildLoad2(builder, module.int_type(128), slot, b"")
    elif width == 64:
        product = C.BuildMul(builder, a, b, b"")
        high = module.call(f"sbf_{'s' if signed else 'u'}mulh", module.int_type(64), [a, b])
        # Signed: the high word must repeat the low word's sign. Unsigned: it must be zero.
        expected = C.BuildSelect(builder, C.BuildICmp(builder, llvm.SLT, product, module.const(64, 0), b""), module.const(64, -1), module.const(64, 0), b"") if signed else module.const(64, 0)
        overflow = C.BuildICmp(builder, llvm.NE, high, expected, b"")
    else:  # the product fits twice the width; in range when narrowing loses nothing
        size = 64 if width <= 32 else 128
        x, y = (resize(module, v, size, signed) for v in (a, b))
        full = C.BuildMul(builder, x, y, b"") if size == 64 else module.call("sbf_mul128", module.int_type(128), [x, y])
        product = resize(module, full, width, signed)
        overflow = C.BuildICmp(builder, llvm.NE, resize(module, product, size, signed), full, b"")
    pair = C.BuildInsertValue(builder, C.GetPoison(C.TypeOf(call)), product, 0, b"")
    return C.BuildInsertValue(builder, pair, overflow, 1, b"")


def entry_slot(module, instruction, width):
    """Stack memory for a helper's second result, allocated once at the function's start."""
    first = C.GetFirstInstruction(C.GetFirstBasicBlock(llvm.parent_function(instruction)))
    module.before(first)
    slot = C.BuildAlloca(module.builder, module.int_type(width), b"")
    C.SetAlignment(slot, 8)
    return slot


def lower_instruction(module, instruction):
    """The value that replaces an instruction, or None when the backend can do it."""
    opcode = C.GetInstructionOpcode(instruction)
    if opcode in DIVISIONS or opcode == llvm.MUL:
        type_ = C.TypeOf(instruction)
        if llvm.kind(type_) != llvm.INT_KIND:
            return None
        width = llvm.bits(type_)
        signed = opcode in (llvm.SDIV, llvm.SREM)
        if width <= 64 and not signed:
            return None
        module.before(instruction)
        helper = "sbf_" + ("mul" if opcode == llvm.MUL else DIVISIONS[opcode])
        return through(module, helper, llvm.operands(instruction), width, signed)
    if opcode in SHIFTS:
        type_, (value, amount) = C.TypeOf(instruction), llvm.operands(instruction)
        if llvm.kind(type_) != llvm.INT_KIND or llvm.bits(type_) <= 64 or C.IsAConstantInt(amount):
            return None
        module.before(instruction)
        wide_value = resize(module, value, 128, opcode == llvm.ASHR)
        result = module.call(f"sbf_{SHIFTS[opcode]}128", module.int_type(128), [wide_value, resize(module, amount, 128, False)])
        return resize(module, result, llvm.bits(type_), False)
    if opcode == llvm.CALL:
        match = FUNNEL.match(llvm.callee_name(instruction))
        if match and not C.IsAConstantInt(llvm.arguments(instruction)[2]):
            module.before(instruction)
            return module.call(f"sbf_{match.group(1)}128", module.int_type(128), llvm.arguments(instruction))
        match = CHECKED.match(llvm.callee_name(instruction))
        if match:
            module.before(instruction)
            return checked_multiply(module, instruction, match.group(1) == "s", int(match.group(2)))
    return None
