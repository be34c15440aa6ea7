"""A thin binding of LLVM's C interface: just the functions the lowering passes call.

The C interface ships inside Debian's libLLVM and is the one LLVM keeps stable, so the passes need
neither LLVM's C++ headers nor a rewrite of its textual IR. Every handle is a plain pointer.
"""
import ctypes
from collections import namedtuple
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_ulonglong, c_void_p

from . import toolchain
from .errors import BuildError

# Opcodes, type kinds, predicates: the numbers of llvm-c/Core.h.
RET, ALLOCA, LOAD, STORE = 1, 26, 27, 28
MUL, UDIV, SDIV, UREM, SREM = 12, 14, 15, 17, 18
SHL, LSHR, ASHR = 20, 21, 22
FNEG, FADD, FSUB, FMUL, FDIV, FREM = 66, 9, 11, 13, 16, 19
FPTOUI, FPTOSI, UITOFP, SITOFP, FPTRUNC, FPEXT = 33, 34, 35, 36, 37, 38
FCMP, CALL, INVOKE, INDIRECTBR, CALLBR, VA_ARG = 43, 45, 5, 4, 67, 49
FENCE, CMPXCHG, ATOMICRMW = 55, 56, 57
ATOMIC_OPCODES = {FENCE, CMPXCHG, ATOMICRMW}
VOID_KIND, HALF_KIND, FLOAT_KIND, DOUBLE_KIND, INT_KIND, STRUCT_KIND, ARRAY_KIND, POINTER_KIND, VECTOR_KIND = 0, 1, 2, 3, 8, 10, 11, 12, 13
OTHER_FLOAT_KINDS = {HALF_KIND, 4, 5, 6, 18}
EQ, NE, UGT, ULT, SGT, SGE, SLT, SLE = 32, 33, 34, 36, 38, 39, 40, 41
FUNCTION_ATTRIBUTES, RETURN_ATTRIBUTES = 0xFFFFFFFF, 0
MD_SUBPROGRAM = 17

_P, _U, _S = c_void_p, c_uint, c_char_p

# name: (result, arguments)
_SIGNATURES = {
    "ContextCreate": (_P, []),
    "CreateMemoryBufferWithContentsOfFile": (c_int, [_S, POINTER(_P), POINTER(_P)]),
    "ParseBitcodeInContext2": (c_int, [_P, _P, POINTER(_P)]),
    "WriteBitcodeToFile": (c_int, [_P, _S]),
    "LinkModules2": (c_int, [_P, _P]),
    "RunPasses": (_P, [_P, _S, _P, _P]),
    "CreatePassBuilderOptions": (_P, []),
    "GetErrorMessage": (_P, [_P]),
    "StripModuleDebugInfo": (c_int, [_P]),
    "GetModuleDataLayout": (_P, [_P]),
    "GetFirstFunction": (_P, [_P]),
    "GetNextFunction": (_P, [_P]),
    "GetFirstGlobal": (_P, [_P]),
    "GetNextGlobal": (_P, [_P]),
    "GetFirstBasicBlock": (_P, [_P]),
    "GetNextBasicBlock": (_P, [_P]),
    "GetFirstInstruction": (_P, [_P]),
    "GetNextInstruction": (_P, [_P]),
    "GetInstructionOpcode": (_U, [_P]),
    "GetInstructionParent": (_P, [_P]),
    "GetBasicBlockParent": (_P, [_P]),
    "GetFirstUse": (_P, [_P]),
    "GetNextUse": (_P, [_P]),
    "GetUser": (_P, [_P]),
    "IsAInstruction": (_P, [_P]),
    "IsAFunction": (_P, [_P]),
    "IsAConstantInt": (_P, [_P]),
    "IsAInlineAsm": (_P, [_P]),
    "ConstIntGetZExtValue": (c_ulonglong, [_P]),
    "GetInlineAsmAsmString": (_S, [_P, POINTER(c_size_t)]),
    "GetValueName2": (_P, [_P, POINTER(c_size_t)]),
    "SetValueName2": (None, [_P, _S, c_size_t]),
    "IsDeclaration": (c_int, [_P]),
    "IsGlobalConstant": (c_int, [_P]),
    "IsThreadLocal": (c_int, [_P]),
    "GetLinkage": (_U, [_P]),
    "SetLinkage": (None, [_P, _U]),
    "GetVisibility": (_U, [_P]),
    "SetVisibility": (None, [_P, _U]),
    "SetUnnamedAddress": (None, [_P, _U]),
    "GetUnnamedAddress": (_U, [_P]),
    "GetFunctionCallConv": (_U, [_P]),
    "SetFunctionCallConv": (None, [_P, _U]),
    "GetInstructionCallConv": (_U, [_P]),
    "SetInstructionCallConv": (None, [_P, _U]),
    "SetTailCallKind": (None, [_P, _U]),
    "GetTailCallKind": (_U, [_P]),
    "GetIntrinsicID": (_U, [_P]),
    "GlobalGetValueType": (_P, [_P]),
    "GetNamedFunction": (_P, [_P, _S]),
    "AddFunction": (_P, [_P, _S, _P]),
    "DeleteFunction": (None, [_P]),
    "DeleteGlobal": (None, [_P]),
    "GetNamedGlobal": (_P, [_P, _S]),
    "CountParams": (_U, [_P]),
    "GetParam": (_P, [_P, _U]),
    "RemoveBasicBlockFromParent": (None, [_P]),
    "AppendExistingBasicBlock": (None, [_P, _P]),
    "TypeOf": (_P, [_P]),
    "GetTypeKind": (_U, [_P]),
    "GetIntTypeWidth": (_U, [_P]),
    "IntTypeInContext": (_P, [_P, _U]),
    "DoubleTypeInContext": (_P, [_P]),
    "FloatTypeInContext": (_P, [_P]),
    "VoidTypeInContext": (_P, [_P]),
    "PointerTypeInContext": (_P, [_P, _U]),
    "ArrayType2": (_P, [_P, c_ulonglong]),
    "FunctionType": (_P, [_P, POINTER(_P), _U, c_int]),
    "CountParamTypes": (_U, [_P]),
    "GetParamTypes": (None, [_P, POINTER(_P)]),
    "GetReturnType": (_P, [_P]),
    "IsFunctionVarArg": (c_int, [_P]),
    "CountStructElementTypes": (_U, [_P]),
    "StructGetTypeAtIndex": (_P, [_P, _U]),
    "GetElementType": (_P, [_P]),
    "GetArrayLength2": (c_ulonglong, [_P]),
    "GetVectorSize": (_U, [_P]),
    "ABISizeOfType": (c_ulonglong, [_P, _P]),
    "GetNumOperands": (c_int, [_P]),
    "GetOperand": (_P, [_P, _U]),
    "GetNumArgOperands": (_U, [_P]),
    "GetCalledValue": (_P, [_P]),
    "GetCalledFunctionType": (_P, [_P]),
    "GetFCmpPredicate": (_U, [_P]),
    "GetAllocatedType": (_P, [_P]),
    "ReplaceAllUsesWith": (None, [_P, _P]),
    "InstructionEraseFromParent": (None, [_P]),
    "CreateBuilderInContext": (_P, [_P]),
    "PositionBuilderBefore": (None, [_P, _P]),
    "ConstInt": (_P, [_P, c_ulonglong, c_int]),
    "ConstNull": (_P, [_P]),
    "GetPoison": (_P, [_P]),
    "BuildAdd": (_P, [_P, _P, _P, _S]),
    "BuildSub": (_P, [_P, _P, _P, _S]),
    "BuildMul": (_P, [_P, _P, _P, _S]),
    "BuildAnd": (_P, [_P, _P, _P, _S]),
    "BuildOr": (_P, [_P, _P, _P, _S]),
    "BuildXor": (_P, [_P, _P, _P, _S]),
    "BuildShl": (_P, [_P, _P, _P, _S]),
    "BuildTrunc": (_P, [_P, _P, _P, _S]),
    "BuildZExt": (_P, [_P, _P, _P, _S]),
    "BuildSExt": (_P, [_P, _P, _P, _S]),
    "BuildBitCast": (_P, [_P, _P, _P, _S]),
    "BuildICmp": (_P, [_P, _U, _P, _P, _S]),
    "BuildSelect": (_P, [_P, _P, _P, _P, _S]),
    "BuildInsertValue": (_P, [_P, _P, _P, _U, _S]),
    "BuildAlloca": (_P, [_P, _P, _S]),
    "BuildLoad2": (_P, [_P, _P, _P, _S]),
    "BuildStore": (_P, [_P, _P, _P]),
    "BuildRetVoid": (_P, [_P]),
    "BuildGEP2": (_P, [_P, _P, _P, POINTER(_P), _U, _S]),
    "BuildCall2": (_P, [_P, _P, _P, POINTER(_P), _U, _S]),
    "SetAlignment": (None, [_P, _U]),
    "GetEnumAttributeKindForName": (_U, [_S, c_size_t]),
    "CreateEnumAttribute": (_P, [_P, _U, c_ulonglong]),
    "GetAttributeCountAtIndex": (_U, [_P, _U]),
    "GetAttributesAtIndex": (None, [_P, _U, POINTER(_P)]),
    "AddAttributeAtIndex": (None, [_P, _U, _P]),
    "GetEnumAttributeAtIndex": (_P, [_P, _U, _U]),
    "RemoveEnumAttributeAtIndex": (None, [_P, _U, _U]),
    "IsEnumAttribute": (c_int, [_P]),
    "IsTypeAttribute": (c_int, [_P]),
    "GetEnumAttributeKind": (_U, [_P]),
    "AddCallSiteAttribute": (None, [_P, _U, _P]),
    "GetCallSiteEnumAttribute": (_P, [_P, _U, _U]),
    "RemoveCallSiteEnumAttribute": (None, [_P, _U, _U]),
    "InstructionGetDebugLoc": (_P, [_P]),
    "DILocationGetScope": (_P, [_P]),
    "DILocationGetLine": (_U, [_P]),
    "DILocationGetInlinedAt": (_P, [_P]),
    "DIFileGetDirectory": (_P, [_P, POINTER(c_uint)]),
    "MetadataAsValue": (_P, [_P, _P]),
    "ValueAsMetadata": (_P, [_P]),
    "GetMetadataKind": (_U, [_P]),
    "GetMDNodeNumOperands": (_U, [_P]),
    "GetMDNodeOperands": (None, [_P, POINTER(_P)]),
    "GetMDString": (_P, [_P, POINTER(c_uint)]),
    "DIScopeGetFile": (_P, [_P]),
    "DIFileGetFilename": (_P, [_P, POINTER(c_uint)]),
    "PrintValueToString": (_P, [_P]),
    "ContextSetDiagnosticHandler": (None, [_P, _P, _P]),
    "GetDiagInfoDescription": (_P, [_P]),
    "GetDiagInfoSeverity": (_U, [_P]),
}


class _Functions:
    """The bound functions, as attributes without their `LLVM` prefix; loaded on first use."""

    def __init__(self):
        self._library = None

    def __getattr__(self, name):
        if self._library is None:
            self._library = ctypes.CDLL(toolchain.LIBLLVM)
        if name not in _SIGNATURES:
            raise AttributeError(name)
        function = getattr(self._library, "LLVM" + name)
        function.restype, function.argtypes = _SIGNATURES[name]
        setattr(self, name, function)
        return function


C = _Functions()


def pointers(values):
    """A C array of handles."""
    return (c_void_p * max(1, len(values)))(*values)


class Module:
    """An LLVM module in a context of its own."""

    def __init__(self, path):
        self.context = C.ContextCreate()
        self.errors = []
        handler_type = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
        self._handler = handler_type(self._diagnostic)
        C.ContextSetDiagnosticHandler(self.context, ctypes.cast(self._handler, c_void_p), None)
        self.handle = self._parse(path)
        self.layout = C.GetModuleDataLayout(self.handle)
        self.builder = C.CreateBuilderInContext(self.context)
        self.pointer = C.PointerTypeInContext(self.context, 0)
        self.void = C.VoidTypeInContext(self.context)

    def _diagnostic(self, info, _):
        if C.GetDiagInfoSeverity(info) == 0:
            self.errors.append(ctypes.string_at(C.GetDiagInfoDescription(info)).decode())

    def _parse(self, path):
        buffer, message, module = c_void_p(), c_void_p(), c_void_p()
        if C.CreateMemoryBufferWithContentsOfFile(path.encode(), byref(buffer), byref(message)):
            raise BuildError(f"can't read {path}")
        if C.ParseBitcodeInContext2(self.context, buffer, byref(module)):
            raise BuildError(f"{path} is not LLVM bitcode: " + "; ".join(self.errors))
        return module

    def link(self, path):
        """Adds another module's functions."""
        if C.LinkModules2(self.handle, self._parse(path)):
            raise BuildError(f"can't link {path}: " + "; ".join(self.errors))

    def run(self, passes):
        """Runs LLVM's own passes, named as for `opt -passes=`."""
        error = C.RunPasses(self.handle, passes.encode(), None, C.CreatePassBuilderOptions())
        if error:
            raise BuildError("LLVM pass pipeline: " + ctypes.string_at(C.GetErrorMessage(error)).decode())

    def write(self, path):
        if C.WriteBitcodeToFile(self.handle, path.encode()):
            raise BuildError(f"can't write {path}")

    def int_type(self, bits):
        return C.IntTypeInContext(self.context, bits)

    def const(self, bits, value):
        return C.ConstInt(self.int_type(bits), value & (2**64 - 1), 0)

    def function_type(self, result, params):
        return C.FunctionType(result, pointers(params), len(params), 0)

    def declare(self, name, result, params):
        """A function by name, declared when it isn't there yet; returns (type, function)."""
        kind = self.function_type(result, params)
        return kind, C.GetNamedFunction(self.handle, name.encode()) or C.AddFunction(self.handle, name.encode(), kind)

    def call(self, name, result, values):
        """Builds a call of a function by name where the builder stands."""
        kind, function = self.declare(name, result, [C.TypeOf(v) for v in values])
        return C.BuildCall2(self.builder, kind, function, pointers(values), len(values), b"")

    def before(self, instruction):
        C.PositionBuilderBefore(self.builder, instruction)
        return self.builder

    def gep(self, pointer, offset):
        """pointer + offset bytes"""
        return C.BuildGEP2(self.builder, self.int_type(8), pointer, pointers([self.const(64, offset)]), 1, b"")

    def attribute(self, name, value=0):
        return C.CreateEnumAttribute(self.context, attribute_kind(name), value)

    def functions(self):
        return list(_chain(C.GetFirstFunction(self.handle), C.GetNextFunction))

    def defined(self):
        return [f for f in self.functions() if not C.IsDeclaration(f)]

    def globals(self):
        return list(_chain(C.GetFirstGlobal(self.handle), C.GetNextGlobal))


def _chain(first, following):
    while first:
        yield first
        first = following(first)


def blocks(function):
    return list(_chain(C.GetFirstBasicBlock(function), C.GetNextBasicBlock))


def instructions(function):
    """A function's instructions as a list, so that they may be replaced while walking."""
    return [i for b in blocks(function) for i in _chain(C.GetFirstInstruction(b), C.GetNextInstruction)]


def users(value):
    """The users of a value, one for each use."""
    return [C.GetUser(use) for use in _chain(C.GetFirstUse(value), C.GetNextUse)]


def operands(instruction):
    return [C.GetOperand(instruction, i) for i in range(C.GetNumOperands(instruction))]


def arguments(call):
    return [C.GetOperand(call, i) for i in range(C.GetNumArgOperands(call))]


def name(value):
    length = c_size_t()
    text = C.GetValueName2(value, byref(length))
    return ctypes.string_at(text, length.value).decode() if text else ""


def callee_name(call):
    """The name of a directly called function, or ''."""
    callee = C.GetCalledValue(call)
    return name(callee) if C.IsAFunction(callee) else ""


def param_types(function_type):
    types = pointers([None] * C.CountParamTypes(function_type))
    C.GetParamTypes(function_type, types)
    return list(types)[: C.CountParamTypes(function_type)]


def kind(type_):
    return C.GetTypeKind(type_)


def bits(int_type):
    return C.GetIntTypeWidth(int_type)


def attribute_kind(name_):
    return C.GetEnumAttributeKindForName(name_.encode(), len(name_))


def parent_function(instruction):
    return C.GetBasicBlockParent(C.GetInstructionParent(instruction))


def replace(instruction, value):
    """Puts a value in an instruction's place."""
    C.ReplaceAllUsesWith(instruction, value)
    C.InstructionEraseFromParent(instruction)


Place = namedtuple("Place", "symbol file directory line")


def source_places(module, instruction):
    """The source functions an instruction came from: the innermost inlined one first, then its callers."""
    location, found = C.InstructionGetDebugLoc(instruction), []
    while location:
        place = _place(module, location)
        if place:
            found.append(place)
        location = C.DILocationGetInlinedAt(location)
    return found


def _place(module, location):
    scope = C.DILocationGetScope(location)
    file = C.DIScopeGetFile(scope)
    while C.GetMetadataKind(scope) != MD_SUBPROGRAM:  # blocks inside the function
        found = _metadata_operands(module, scope)
        if len(found) < 2 or not found[1]:
            return None
        scope = C.ValueAsMetadata(found[1])
    found = _metadata_operands(module, scope)
    symbol = _text(C.GetMDString, found[3]) or _text(C.GetMDString, found[2])  # linkage name, then plain name
    return Place(symbol, _text(C.DIFileGetFilename, file), _text(C.DIFileGetDirectory, file), C.DILocationGetLine(location))


def _text(function, handle):
    """A string that LLVM returns with its length; empty for no handle."""
    length = c_uint()
    text = function(handle, byref(length)) if handle else None
    return ctypes.string_at(text, length.value).decode() if text else ""


def _metadata_operands(module, metadata):
    node = C.MetadataAsValue(module.context, metadata)
    found = pointers([None] * C.GetMDNodeNumOperands(node))
    C.GetMDNodeOperands(node, found)
    return list(found)
