"""Floating point: the VM has none, so every operation becomes integer code from softfloat.c.

Floats live in integer registers as their IEEE-754 bits. The backend moves such values by itself
(loads, stores, arguments, selects); only operations on them need replacing. A 32-bit operation is
done in 64 bits and rounded back, which gives the correctly rounded result for + - * / and sqrt.
"""
import re

from .. import llvm
from ..llvm import C
from .arithmetic import resize

BINARY = {llvm.FADD: "add", llvm.FSUB: "sub", llvm.FMUL: "mul", llvm.FDIV: "div", llvm.FREM: "rem"}
# Predicates in the order of llvm-c/Core.h as sets of sbf_f64_cmp's answers: 0 equal, 1 greater, 2 unordered, 3 less.
RELATIONS = {
    1: {0}, 2: {1}, 3: {0, 1}, 4: {3}, 5: {0, 3}, 6: {1, 3}, 7: {0, 1, 3},
    8: {2}, 9: {0, 2}, 10: {1, 2}, 11: {0, 1, 2}, 12: {2, 3}, 13: {0, 2, 3}, 14: {1, 2, 3},
}
UNARY_INTRINSICS = {
    "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "round": "round",
    "rint": "rint", "nearbyint": "rint", "roundeven": "rint", "canonicalize": "canonicalize",
}
BINARY_INTRINSICS = {
    "minnum": "minnum", "maxnum": "maxnum", "minimumnum": "minnum", "maximumnum": "maxnum",
    "minimum": "minimum", "maximum": "maximum",
}
INTRINSIC = re.compile(r"llvm\.([a-z.]+?)\.f(32|64)$")
SATURATING = re.compile(r"llvm\.fpto([us])i\.sat\.i(\d+)\.f(32|64)$")
BIT_INTRINSICS = ("fabs", "copysign")


def width(value):
    """32 or 64 for a float value, None for anything else."""
    return {llvm.FLOAT_KIND: 32, llvm.DOUBLE_KIND: 64}.get(llvm.kind(C.TypeOf(value)))


def bits_of(module, value):
    """A float's bits as an integer of its own width."""
    return C.BuildBitCast(module.builder, value, module.int_type(width(value)), b"")


def as_f64(module, value):
    """A float's bits as those of a 64-bit float."""
    if width(value) == 64:
        return bits_of(module, value)
    return module.call("sbf_f64_from_f32", module.int_type(64), [resize(module, bits_of(module, value), 64, False)])


def from_f64(module, bits, size):
    """Bits of a 64-bit float as a float value of a width."""
    if size == 32:
        bits = resize(module, module.call("sbf_f32_from_f64", module.int_type(64), [bits]), 32, False)
    return to_float(module, bits, size)


def to_float(module, bits, size):
    type_ = (C.DoubleTypeInContext if size == 64 else C.FloatTypeInContext)(module.context)
    return C.BuildBitCast(module.builder, bits, type_, b"")


def operation(module, helper, values, size):
    """A helper on 64-bit floats, for floats of either width."""
    result = module.call("sbf_f64_" + helper, module.int_type(64), [as_f64(module, v) for v in values])
    return from_f64(module, result, size)


def compare(module, instruction):
    predicate = C.GetFCmpPredicate(instruction)
    if predicate in (0, 15):
        return module.const(1, predicate & 1)
    a, b = llvm.operands(instruction)
    answer = module.call("sbf_f64_cmp", module.int_type(64), [as_f64(module, a), as_f64(module, b)])
    wanted = RELATIONS[predicate]
    # One compare where the set is a single answer or lacks a single one, else a bit test.
    if len(wanted) == 1:
        return C.BuildICmp(module.builder, llvm.EQ, answer, module.const(64, min(wanted)), b"")
    if len(wanted) == 3:
        return C.BuildICmp(module.builder, llvm.NE, answer, module.const(64, min({0, 1, 2, 3} - wanted)), b"")
    mask = C.BuildShl(module.builder, module.const(64, 1), answer, b"")
    mask = C.BuildAnd(module.builder, mask, module.const(64, sum(1 << w for w in wanted)), b"")
    return C.BuildICmp(module.builder, llvm.NE, mask, module.const(64, 0), b"")


def from_integer(module, value, size, signed):
    """int -> float, rounded once: a 64-bit detour would round a 32-bit result twice."""
    bits = 64 if llvm.bits(C.TypeOf(value)) <= 64 else 128
    helper = f"sbf_f{size}_from_{'i' if signed else 'u'}{bits}"
    result = module.call(helper, module.int_type(64), [resize(module, value, bits, signed)])
    return to_float(module, resize(module, result, size, False), size)


def to_integer(module, value, bits, signed):
    """float -> int, saturating as Rust's `as`; LLVM's plain conversion leaves out-of-range undefined."""
    size = 64 if bits <= 64 else 128
    result = module.call(f"sbf_f64_to_{'i' if signed else 'u'}{size}", module.int_type(size), [as_f64(module, value)])
    if bits < size:
        high, low = ((1 << bits - 1) - 1, -(1 << bits - 1)) if signed else ((1 << bits) - 1, 0)
        if size == 128 and bits != 64:
            limit_high, limit_low = wide_constant(module, high), wide_constant(module, low)
        else:
            limit_high, limit_low = module.const(64, high), module.const(64, low)
        too_high = C.BuildICmp(module.builder, llvm.SGT if signed else llvm.UGT, result, limit_high, b"")
        result = C.BuildSelect(module.builder, too_high, limit_high, result, b"")
        if signed:
            too_low = C.BuildICmp(module.builder, llvm.SLT, result, limit_low, b"")
            result = C.BuildSelect(module.builder, too_low, limit_low, result, b"")
    return resize(module, result, bits, signed)


def wide_constant(module, value):
    """A 128-bit constant from its two words."""
    value &= (1 << 128) - 1
    word = module.int_type(128)
    high = C.BuildShl(module.builder, C.BuildZExt(module.builder, module.const(64, value >> 64), word, b""), C.ConstInt(word, 64, 0), b"")
    return C.BuildOr(module.builder, high, C.BuildZExt(module.builder, module.const(64, value), word, b""), b"")


def sign_mask(module, size):
    return module.const(size, 1 << size - 1)


def on_bits(module, name, values, size):
    """neg, fabs and copysign only move the sign bit."""
    builder, mask = module.builder, sign_mask(module, size)
    rest = module.const(size, (1 << size - 1) - 1)
    a = bits_of(module, values[0])
    if name == "neg":
        return to_float(module, C.BuildXor(builder, a, mask, b""), size)
    a = C.BuildAnd(builder, a, rest, b"")
    if name == "copysign":
        a = C.BuildOr(builder, a, C.BuildAnd(builder, bits_of(module, values[1]), mask, b""), b"")
    return to_float(module, a, size)


def supported_intrinsic(name):
    """Whether `lower_call` knows an intrinsic."""
    match = INTRINSIC.match(name)
    known = UNARY_INTRINSICS.keys() | BINARY_INTRINSICS.keys() | {*BIT_INTRINSICS, "fmuladd"}
    return bool(SATURATING.match(name) or match and match.group(1) in known)


def lower_call(module, call):
    name = llvm.callee_name(call)
    if not supported_intrinsic(name):
        return None
    module.before(call)
    values = llvm.arguments(call)
    match = SATURATING.match(name)
    if match:
        return to_integer(module, values[0], int(match.group(2)), match.group(1) == "s")
    what, size = INTRINSIC.match(name).groups()
    size = int(size)
    if what in BIT_INTRINSICS:
        return on_bits(module, what, values, size)
    if what == "fmuladd":  # may be fused or not; two roundings are allowed
        product = operation(module, "mul", values[:2], size)
        return operation(module, "add", [product, values[2]], size)
    return operation(module, UNARY_INTRINSICS.get(what) or BINARY_INTRINSICS[what], values, size)


def lower_instruction(module, instruction):
    """The value that replaces an instruction, or None when it has no float operation."""
    opcode = C.GetInstructionOpcode(instruction)
    if opcode == llvm.CALL:
        return lower_call(module, instruction)
    if opcode in BINARY and width(instruction):
        module.before(instruction)
        return operation(module, BINARY[opcode], llvm.operands(instruction), width(instruction))
    operand = llvm.operands(instruction)[0] if opcode in (llvm.FNEG, llvm.FCMP, llvm.FPTOUI, llvm.FPTOSI, llvm.UITOFP, llvm.SITOFP, llvm.FPTRUNC, llvm.FPEXT) else None
    if operand is None or not (width(operand) or width(instruction)):
        return None
    module.before(instruction)
    if opcode == llvm.FNEG:
        return on_bits(module, "neg", [operand], width(instruction))
    if opcode == llvm.FCMP:
        return compare(module, instruction)
    if opcode in (llvm.UITOFP, llvm.SITOFP):
        return from_integer(module, operand, width(instruction), opcode == llvm.SITOFP)
    if opcode in (llvm.FPTOUI, llvm.FPTOSI):
        return to_integer(module, operand, llvm.bits(C.TypeOf(instruction)), opcode == llvm.FPTOSI)
    return from_f64(module, as_f64(module, operand), width(instruction))  # fpext, fptrunc
