"""Names what can't be lowered, with the source function it stands in, instead of building it wrong."""
import re
import subprocess

from .. import llvm, toolchain
from ..errors import BuildError
from ..llvm import C
from . import arithmetic, calls, floats

LIMIT = 20
# Intrinsics on floats that the backend does in integer registers or that vanish.
FLOAT_NEUTRAL = re.compile(r"llvm\.(assume|lifetime|dbg|experimental|expect|ssa\.copy|fake\.use|is\.constant)\b")
HELPERS = re.compile(r"(sbf_\w+|memcpy|memmove|memset|memcmp|bcmp|abort|sol_\w+)$")
STRANGE_OPCODES = {
    llvm.INVOKE: "unwinding", llvm.INDIRECTBR: "an indirect jump", llvm.CALLBR: "inline assembly", llvm.VA_ARG: "variadic arguments",
}


def demangle(symbol):
    """A symbol as its source path, without the crate's hash."""
    done = subprocess.run([toolchain.CXXFILT, symbol], capture_output=True, text=True)
    return re.sub(r"\[[0-9a-f]{8,}\]", "", done.stdout.strip()) or symbol


def place(module, instruction):
    """`crate::function (file:line)`; inside the standard library also which function called it.

    The enclosing function where there is no debug information.
    """
    places = llvm.source_places(module, instruction)
    if not places:
        return demangle(llvm.name(llvm.parent_function(instruction)))
    own = next((p for p in places if not p.directory.startswith("/std") and not p.file.startswith("/std")), places[0])
    text = f"{demangle(own.symbol)} ({own.file}:{own.line})"
    return text if own is places[0] else f"{demangle(places[0].symbol)}, called by {text}"


def scalar(type_):
    """A vector's element type, any other type itself."""
    return C.GetElementType(type_) if llvm.kind(type_) == llvm.VECTOR_KIND else type_


def is_float(type_):
    return llvm.kind(scalar(type_)) in {llvm.FLOAT_KIND, llvm.DOUBLE_KIND} | llvm.OTHER_FLOAT_KINDS


def objection_to_call(module, call):
    callee = C.GetCalledValue(call)
    if C.IsAInlineAsm(callee):
        text = C.GetInlineAsmAsmString(callee, llvm.c_size_t()) or b""
        return "inline assembly" if text.strip() else None  # an empty one is core::hint::black_box
    name = llvm.callee_name(call)
    if name.startswith("llvm."):
        match = arithmetic.CHECKED.match(name)
        if match and int(match.group(2)) > 64 and int(match.group(2)) != 128:
            return f"a checked multiply of {match.group(2)} bits"
        types = [C.TypeOf(call)] + [C.TypeOf(a) for a in llvm.arguments(call)]
        if any(is_float(t) for t in types) and not floats.supported_intrinsic(name) and not FLOAT_NEUTRAL.match(name):
            return f"the floating-point function {name[5:]}"
        return None
    if C.IsFunctionVarArg(C.GetCalledFunctionType(call)):
        return f"a call of the variadic function {name}"
    if name and C.IsDeclaration(callee):
        if not HELPERS.match(name):
            return f"a call of {demangle(name)}, which is no Solana syscall"
        if calls.Shape(module, C.GetCalledFunctionType(call)).changed:
            return f"a syscall ({name}) with more than five arguments or a wide result"
    return None


def objection(module, instruction):
    """Why an instruction can't be lowered, None when it can."""
    opcode = C.GetInstructionOpcode(instruction)
    if opcode in STRANGE_OPCODES:
        return STRANGE_OPCODES[opcode]
    if opcode in llvm.ATOMIC_OPCODES:
        return "an atomic operation of this kind"
    if opcode == llvm.CALL:
        return objection_to_call(module, instruction)
    if opcode == llvm.ALLOCA and not C.IsAConstantInt(C.GetOperand(instruction, 0)):
        return "a stack variable of variable size"
    type_ = C.TypeOf(instruction)
    if opcode in arithmetic.DIVISIONS or opcode in arithmetic.SHIFTS or opcode == llvm.MUL:
        # Shifts by constants of such integers come from LLVM itself; the backend takes them apart.
        if llvm.kind(type_) == llvm.INT_KIND and llvm.bits(type_) > 128:
            if opcode not in arithmetic.SHIFTS or not C.IsAConstantInt(C.GetOperand(instruction, 1)):
                return f"multiplying, dividing or shifting integers of {llvm.bits(type_)} bits"
    if opcode in floats.BINARY or llvm.FPTOUI <= opcode <= llvm.FPEXT or opcode in (llvm.FNEG, llvm.FCMP):
        types = [type_] + [C.TypeOf(o) for o in llvm.operands(instruction)]
        if any(llvm.kind(scalar(t)) in llvm.OTHER_FLOAT_KINDS for t in types):
            return "floating point of 16 or 128 bits"
        if any(llvm.kind(t) == llvm.VECTOR_KIND for t in types):
            return "floating-point vectors"
        if any(llvm.kind(t) == llvm.INT_KIND and llvm.bits(t) > 128 for t in types):
            return "converting floats to or from integers over 128 bits"
    return None


def using_instruction(value, depth=8):
    """Some instruction that uses a global, through constant expressions if need be."""
    for user in llvm.users(value):
        found = user if C.IsAInstruction(user) else using_instruction(user, depth - 1) if depth else None
        if found:
            return found
    return None


def objections_to_globals(module):
    for variable in module.globals():
        name = llvm.name(variable)
        if name.startswith("llvm.") or C.IsGlobalConstant(variable):
            continue
        user = using_instruction(variable)
        if C.IsDeclaration(variable):
            what = f"the external variable {demangle(name)}"
        elif C.IsThreadLocal(variable):
            what = f"the thread-local {demangle(name)}"
        else:
            what = f"the writable static {demangle(name)} (a program's data is read-only on Solana)"
        yield what + (f", used in {place(module, user)}" if user else "")


def check(module):
    """Raises a BuildError that lists everything the module has and SBF hasn't."""
    found = list(objections_to_globals(module))
    for function in module.defined():
        for instruction in llvm.instructions(function):
            reason = objection(module, instruction)
            if reason:
                found.append(f"{reason} in {place(module, instruction)}")
    found = list(dict.fromkeys(found))
    if found:
        more = [f"... and {len(found) - LIMIT} more"] if len(found) > LIMIT else []
        raise BuildError("can't lower to SBF:\n" + "\n".join("  " + line for line in found[:LIMIT] + more))
