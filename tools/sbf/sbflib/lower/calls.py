"""Calls: the VM passes five register arguments and returns one; everything wider goes through memory.

A function whose result needs more than one register gets a hidden first argument, the address to
write the result to. A function whose arguments need more than five registers keeps those that fit
the first four; the fifth register carries the address of a block in the caller's frame that holds
the others. The rule looks at a function's type alone, so calls through function pointers and
vtables agree with the functions they reach.
"""
from .. import llvm
from ..llvm import C

REGISTERS = 5
# Wide results of functions this small, or of functions called once, are cheaper inlined.
INLINE_INSTRUCTIONS = 60
INLINE_STACK = 512
TAIL_CALL_NONE = 0
INTERNAL_LINKAGE = 8


def slots(type_):
    """How many registers a value of a type takes."""
    kind = llvm.kind(type_)
    if kind == llvm.VOID_KIND:
        return 0
    if kind == llvm.INT_KIND:
        return (llvm.bits(type_) + 63) // 64
    if kind == llvm.STRUCT_KIND:
        return sum(slots(C.StructGetTypeAtIndex(type_, i)) for i in range(C.CountStructElementTypes(type_)))
    if kind == llvm.ARRAY_KIND:
        return C.GetArrayLength2(type_) * slots(C.GetElementType(type_))
    if kind == llvm.VECTOR_KIND:
        return C.GetVectorSize(type_) * slots(C.GetElementType(type_))
    return 1


def returns_wide(function_type):
    """Whether a result has to go through memory; the backend refuses even one-element structs."""
    result = C.GetReturnType(function_type)
    return slots(result) > 1 or llvm.kind(result) in (llvm.STRUCT_KIND, llvm.ARRAY_KIND, llvm.VECTOR_KIND)


class Shape:
    """How a function type is passed: which parameters stay in registers, which are packed."""

    def __init__(self, module, function_type):
        self.params = llvm.param_types(function_type)
        self.result = C.GetReturnType(function_type)
        self.wide_result = returns_wide(function_type)
        used = int(self.wide_result)
        self.kept = len(self.params)
        if used + sum(slots(t) for t in self.params) > REGISTERS:
            self.kept = 0
            while used + slots(self.params[self.kept]) <= REGISTERS - 1:
                used += slots(self.params[self.kept])
                self.kept += 1
        self.packed = self.params[self.kept:]
        self.changed = self.wide_result or bool(self.packed)
        new = [module.pointer] * self.wide_result + self.params[: self.kept] + [module.pointer] * bool(self.packed)
        self.type = module.function_type(module.void if self.wide_result else self.result, new)

    def packed_offsets(self):
        """(parameter's index, its offset in the packed block) and the block's size."""
        offset, found = 0, []
        for i, type_ in enumerate(self.packed):
            found.append((self.kept + i, offset))
            offset += 8 * slots(type_)
        return found, offset


def is_intrinsic(value):
    return bool(C.IsAFunction(value)) and llvm.name(value).startswith("llvm.")


def is_plain_call(instruction):
    """A call of a function or function pointer: no intrinsic, no inline assembly."""
    if C.GetInstructionOpcode(instruction) != llvm.CALL:
        return False
    callee = C.GetCalledValue(instruction)
    return not is_intrinsic(callee) and not C.IsAInlineAsm(callee)


def frame_size(module, function):
    """Bytes of a function's own stack variables."""
    return sum(
        C.ABISizeOfType(module.layout, C.GetAllocatedType(i))
        for i in llvm.instructions(function)
        if C.GetInstructionOpcode(i) == llvm.ALLOCA
    )


def inline_small_wide_returns(module):
    """Marks functions whose wide result is better inlined away than passed through memory."""
    for function in module.defined():
        if not returns_wide(C.GlobalGetValueType(function)) or llvm.name(function) == "entrypoint":
            continue
        users = llvm.users(function)
        direct = all(C.IsAInstruction(u) and is_plain_call(u) and C.GetCalledValue(u) == function for u in users)
        recursive = direct and any(llvm.parent_function(u) == function for u in users)
        if not direct or recursive or frame_size(module, function) > INLINE_STACK:
            continue
        if len(users) == 1 or len(llvm.instructions(function)) <= INLINE_INSTRUCTIONS:
            for attribute in ("noinline", "optnone"):
                C.RemoveEnumAttributeAtIndex(function, llvm.FUNCTION_ATTRIBUTES, llvm.attribute_kind(attribute))
            C.AddAttributeAtIndex(function, llvm.FUNCTION_ATTRIBUTES, module.attribute("alwaysinline"))
            for user in users:
                C.RemoveCallSiteEnumAttribute(user, llvm.FUNCTION_ATTRIBUTES, llvm.attribute_kind("noinline"))


def lower(module):
    """Rewrites every function and call whose type doesn't fit the registers."""
    shapes = {}

    def shape(function_type):
        if function_type not in shapes:
            shapes[function_type] = Shape(module, function_type)
        return shapes[function_type]

    for function in module.defined():
        remove_sret(function)
        rewrite_calls(module, function, shape)
    for function in module.defined():
        found = shape(C.GlobalGetValueType(function))
        if found.changed:
            rewrite_function(module, function, found)


def remove_sret(function):
    """sret names the same convention this module makes by hand; the backend refuses the attribute."""
    sret = llvm.attribute_kind("sret")
    for index in range(1, C.CountParams(function) + 1):
        C.RemoveEnumAttributeAtIndex(function, index, sret)
    for instruction in llvm.instructions(function):
        if is_plain_call(instruction):
            for index in range(1, C.GetNumArgOperands(instruction) + 1):
                C.RemoveCallSiteEnumAttribute(instruction, index, sret)


def rewrite_calls(module, function, shape):
    """Makes a function's calls follow the new shapes; one block per function serves all its calls."""
    calls = [(i, shape(C.GetCalledFunctionType(i))) for i in llvm.instructions(function) if is_plain_call(i)]
    calls = [(i, s) for i, s in calls if s.changed]
    if not calls:
        return
    # Arguments are read at the callee's start and results right after the call, so calls can share memory.
    pack = allocate(module, function, max(s.packed_offsets()[1] for _, s in calls))
    result = allocate(module, function, max((C.ABISizeOfType(module.layout, s.result) for _, s in calls if s.wide_result), default=0))
    for call, found in calls:
        rewrite_call(module, call, found, pack, result)


def allocate(module, function, size):
    """Stack memory at a function's start; None for no bytes."""
    if size == 0:
        return None
    module.before(C.GetFirstInstruction(C.GetFirstBasicBlock(function)))
    slot = C.BuildAlloca(module.builder, C.ArrayType2(module.int_type(8), size), b"")
    C.SetAlignment(slot, 8)
    return slot


def rewrite_call(module, call, found, pack, result):
    builder = module.before(call)
    values = llvm.arguments(call)
    for index, offset in found.packed_offsets()[0]:
        C.SetAlignment(C.BuildStore(builder, values[index], module.gep(pack, offset)), 8)
    passed = [result] * found.wide_result + values[: found.kept] + [pack] * bool(found.packed)
    new = C.BuildCall2(builder, found.type, C.GetCalledValue(call), llvm.pointers(passed), len(passed), b"")
    C.SetInstructionCallConv(new, C.GetInstructionCallConv(call))
    C.SetTailCallKind(new, TAIL_CALL_NONE)  # the callee reads this frame
    shift = 1 + found.wide_result
    for index in range(found.kept):  # these two say how a narrow integer fills its register
        for name in ("zeroext", "signext"):
            attribute = C.GetCallSiteEnumAttribute(call, 1 + index, llvm.attribute_kind(name))
            if attribute:
                C.AddCallSiteAttribute(new, shift + index, attribute)
    if found.wide_result:
        value = C.BuildLoad2(builder, found.result, result, b"")
        C.SetAlignment(value, 8)
    else:
        value = new
    if llvm.kind(found.result) == llvm.VOID_KIND:
        C.InstructionEraseFromParent(call)
    else:
        llvm.replace(call, value)


def rewrite_function(module, old, found):
    """Moves a function's body into one of the new type."""
    name = llvm.name(old).encode()
    C.SetValueName2(old, b"", 0)
    new = C.AddFunction(module.handle, name, found.type)
    C.SetLinkage(new, C.GetLinkage(old))
    C.SetVisibility(new, C.GetVisibility(old))
    C.SetUnnamedAddress(new, C.GetUnnamedAddress(old))
    C.SetFunctionCallConv(new, C.GetFunctionCallConv(old))
    copy_attributes(old, llvm.FUNCTION_ATTRIBUTES, new, llvm.FUNCTION_ATTRIBUTES)
    remove_memory_promises(new)
    if not found.wide_result:
        copy_attributes(old, llvm.RETURN_ATTRIBUTES, new, llvm.RETURN_ATTRIBUTES)
    for index in range(found.kept):
        copy_attributes(old, 1 + index, new, 1 + found.wide_result + index)
        if found.wide_result:
            C.RemoveEnumAttributeAtIndex(new, 2 + index, llvm.attribute_kind("returned"))
    for block in llvm.blocks(old):
        C.RemoveBasicBlockFromParent(block)
        C.AppendExistingBasicBlock(new, block)
    for index in range(found.kept):
        C.ReplaceAllUsesWith(C.GetParam(old, index), C.GetParam(new, found.wide_result + index))
    module.before(C.GetFirstInstruction(C.GetFirstBasicBlock(new)))
    pack = C.GetParam(new, C.CountParams(new) - 1) if found.packed else None
    for index, offset in found.packed_offsets()[0]:
        value = C.BuildLoad2(module.builder, found.params[index], module.gep(pack, offset), b"")
        C.SetAlignment(value, 8)
        C.ReplaceAllUsesWith(C.GetParam(old, index), value)
    if found.wide_result:
        return_through_memory(module, new)
    C.ReplaceAllUsesWith(old, new)
    C.DeleteFunction(old)


def return_through_memory(module, function):
    target = C.GetParam(function, 0)
    for instruction in llvm.instructions(function):
        if C.GetInstructionOpcode(instruction) == llvm.RET:
            module.before(instruction)
            C.SetAlignment(C.BuildStore(module.builder, C.GetOperand(instruction, 0), target), 8)
            C.BuildRetVoid(module.builder)
            C.InstructionEraseFromParent(instruction)


def copy_attributes(old, old_index, new, new_index):
    found = llvm.pointers([None] * C.GetAttributeCountAtIndex(old, old_index))
    C.GetAttributesAtIndex(old, old_index, found)
    for attribute in list(found)[: C.GetAttributeCountAtIndex(old, old_index)]:
        C.AddAttributeAtIndex(new, new_index, attribute)


def remove_memory_promises(function):
    """A function that used to touch no memory now reads its arguments and writes its result there."""
    C.RemoveEnumAttributeAtIndex(function, llvm.FUNCTION_ATTRIBUTES, llvm.attribute_kind("memory"))
