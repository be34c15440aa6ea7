"""Stage 3, lowering: turns rustc's LLVM module into one that LLVM's stock BPF backend can compile.

`run` holds the order: refuse what can't be lowered while debug information still names the source,
then arithmetic and floats, calls, memory.
"""
from .. import llvm
from ..llvm import C
from . import arithmetic, calls, floats, memory, refuse

INTERNALIZE = "internalize<preserve-gv=entrypoint>,globaldce"
INLINE_HELPERS = "always-inline,function(sroa,early-cse)"
SIMPLIFY = "function(sroa,instcombine,simplifycfg,early-cse,dse)"
TRAPS = ("llvm.trap", "llvm.debugtrap", "llvm.ubsantrap")


def run(bitcode, helpers, out):
    """Reads a program's bitcode, lowers it, links the C helpers in, writes bitcode."""
    module = llvm.Module(bitcode)
    # One thread and no vectors on this machine: atomics are plain accesses, vectors are scalars.
    module.run(INTERNALIZE + ",function(lower-atomic,scalarizer,dce),globaldce")
    refuse.check(module)
    C.StripModuleDebugInfo(module.handle)

    calls.inline_small_wide_returns(module)
    module.run("always-inline,globaldce")
    memory.expand_equality(module)
    lower_operations(module)
    module.link(helpers)
    module.run(f"{INTERNALIZE},always-inline,{SIMPLIFY},globaldce")
    lower_operations(module)  # instcombine forms a few of these anew
    module.link(helpers)
    module.run(f"{INTERNALIZE},{INLINE_HELPERS},globaldce")

    calls.lower(module)
    memory.lower(module)
    module.run("globaldce,verify")
    refuse.check(module)
    module.write(out)


def lower_operations(module):
    """Replaces single instructions: integer arithmetic, floats, traps."""
    for function in module.defined():
        for instruction in llvm.instructions(function):
            value = arithmetic.lower_instruction(module, instruction) or floats.lower_instruction(module, instruction)
            if value:
                llvm.replace(instruction, value)
            elif C.GetInstructionOpcode(instruction) == llvm.CALL and llvm.callee_name(instruction) in TRAPS:
                module.before(instruction)
                module.call("abort", module.void, [])
                C.InstructionEraseFromParent(instruction)
