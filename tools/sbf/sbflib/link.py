"""Stage 5, relinking: one BPF object becomes a Solana shared object (SBPF v0).

The loader wants an ELF shared object with code at fixed addresses, relative relocations for every
address in it, and syscalls as undefined dynamic symbols. Upstream LLVM emits a relocatable object
and has no linker for this machine, so this module is one.
"""
import struct
from collections import namedtuple

from .errors import BuildError

Section = namedtuple("Section", "name type flags offset size link info align")
Symbol = namedtuple("Symbol", "name section value")

WRITE, ALLOC, EXEC = 1, 2, 4
PROGBITS, SYMTAB, STRTAB, RELA, DYNAMIC, REL, DYNSYM = 1, 2, 3, 4, 6, 9, 11
# Relocations of upstream's BPF objects and, with other numbers, of Solana's loader.
IN_LDDW, IN_DATA, IN_CALL = 1, 2, 10
OUT_RELATIVE, OUT_SYSCALL = 8, 10
ELF_HEADER, PROGRAM_HEADER, SECTION_HEADER = 64, 56, 64
MACHINE_BPF = 247
OP_CALLX, OP_LDDW = 0x8D, 0x18


class Object:
    """The parts of a relocatable ELF file that linking needs."""

    def __init__(self, data):
        self.data = data
        table, = struct.unpack_from("<Q", data, 0x28)
        count, names = struct.unpack_from("<2xHH", data, 0x3A)
        raw = [struct.unpack_from("<IIQQQQIIQQ", data, table + SECTION_HEADER * i) for i in range(count)]
        text = self._slice(raw[names][4], raw[names][5])
        self.sections = [Section(cstring(text, r[0]), r[1], r[2], r[4], r[5], r[6], r[7], r[8]) for r in raw]
        symtab = next(s for s in self.sections if s.type == SYMTAB)
        strings = self.content(self.sections[symtab.link])
        self.symbols = []
        for at in range(symtab.offset, symtab.offset + symtab.size, 24):
            name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", data, at)
            self.symbols.append(Symbol(cstring(strings, name), section, value))

    def _slice(self, offset, size):
        return self.data[offset:offset + size]

    def content(self, section):
        return self._slice(section.offset, section.size)

    def relocations(self, section):
        """(offset, type, symbol) of a relocation section."""
        for at in range(section.offset, section.offset + section.size, 16):
            offset, info = struct.unpack_from("<QQ", self.data, at)
            yield offset, info & 0xFFFFFFFF, self.symbols[info >> 32]


def cstring(data, offset):
    return data[offset:data.index(b"\0", offset)].decode()


def align8(value):
    return value + -value % 8


class Image:
    """The shared object under construction; addresses equal file offsets."""

    def __init__(self, obj):
        self.obj = obj
        self.address = {}  # index of an input section -> its address
        self.relocations = []  # (where, type, syscall or None)
        self.syscalls = {}  # name -> index in .dynsym
        self.end = ELF_HEADER + 3 * PROGRAM_HEADER
        indices = [i for i, s in enumerate(obj.sections) if s.flags & ALLOC and s.size]
        for i in indices:
            section = obj.sections[i]
            if section.flags & WRITE and not section.name.startswith(".data.rel.ro"):
                raise BuildError(f"writable data (section {section.name}): a program's data is read-only on Solana")
        flags = {i: obj.sections[i].flags for i in indices}
        code = sorted((i for i in indices if flags[i] & EXEC), key=lambda i: obj.sections[i].name != ".text")
        self.text = self.place(code)
        self.rodata = self.place([i for i in indices if not flags[i] & (EXEC | WRITE) and obj.sections[i].type == PROGBITS])
        self.relro = self.place([i for i in indices if flags[i] & WRITE])
        self.code = set(code)

    def place(self, indices):
        """Lays input sections out one after the other; returns (address, bytes)."""
        start, content = align8(self.end), bytearray()
        for i in indices:
            section = self.obj.sections[i]
            content += bytes(-(start + len(content)) % max(8, section.align))
            self.address[i] = start + len(content)
            content += self.obj.content(section)
        content += bytes(-len(content) % 8)
        self.end = start + len(content)
        return start, content

    def target(self, symbol):
        return self.address[symbol.section] + symbol.value

    def relocate(self):
        for section in self.obj.sections:
            if section.type == RELA:
                raise BuildError(f"relocations with addends ({section.name}) are not expected here")
            if section.type != REL or section.info not in self.address:
                continue
            base, content = self.text if section.info in self.code else self.data_of(section.info)
            for offset, kind, symbol in self.obj.relocations(section):
                where = self.address[section.info] + offset
                self.relocate_one(where, where - base, content, kind, symbol)

    def data_of(self, index):
        """The output part a data section went to; the loader relocates in either."""
        base, content = self.rodata
        inside = base <= self.address[index] < base + len(content)
        return self.rodata if inside else self.relro

    def relocate_one(self, where, at, content, kind, symbol):
        name = "abort" if symbol.name == "__bpf_trap" else symbol.name  # LLVM's trap for unreachable code
        if kind == IN_CALL and symbol.section == 0:
            content[at + 1] = 0
            struct.pack_into("<i", content, at + 4, -1)
            self.syscalls.setdefault(name, len(self.syscalls) + 1)
            self.relocations.append((where, OUT_SYSCALL, name))
            return
        if symbol.section == 0 or symbol.section not in self.address:
            raise BuildError(f"the address of {name} is taken, which is no function or data of the program")
        if kind == IN_CALL:  # in the section's own code: distance in instructions from the next one
            addend, = struct.unpack_from("<i", content, at + 4)
            struct.pack_into("<i", content, at + 4, (self.target(symbol) + (addend + 1) * 8 - where) // 8 - 1)
        elif kind == IN_LDDW:  # a 64-bit constant in two instructions; the loader adds the base
            low, = struct.unpack_from("<I", content, at + 4)
            high, = struct.unpack_from("<I", content, at + 12)
            address = self.target(symbol) + (high << 32 | low)
            struct.pack_into("<I", content, at + 4, address & 0xFFFFFFFF)
            struct.pack_into("<I", content, at + 12, address >> 32)
            self.relocations.append((where, OUT_RELATIVE, None))
        elif kind == IN_DATA:  # the v0 loader reads an address in data from the upper half of its word
            addend, = struct.unpack_from("<Q", content, at)
            struct.pack_into("<II", content, at, 0, self.target(symbol) + addend)
            self.relocations.append((where, OUT_RELATIVE, None))
        else:
            raise BuildError(f"relocation of type {kind} against {name} is not known here")

    def fix_indirect_calls(self):
        """Upstream names callx's register in the destination field, SBPF v0 in the immediate."""
        content, at = self.text[1], 0
        while at < len(content):
            if content[at] == OP_CALLX:
                register = content[at + 1] & 15
                content[at + 1] = 0
                struct.pack_into("<I", content, at + 4, register)
            at += 16 if content[at] == OP_LDDW else 8

    def entry(self):
        symbol = next((s for s in self.obj.symbols if s.name == "entrypoint" and s.section), None)
        if symbol is None:
            raise BuildError("the program has no `entrypoint`")
        return self.target(symbol)

    def write(self):
        """The finished file."""
        entry = self.entry()
        strings, symbols = bytearray(b"\0"), bytearray(24)
        for name, info, section, value in [(n, 0x10, 0, 0) for n in self.syscalls] + [("entrypoint", 0x12, 1, entry)]:
            symbols += struct.pack("<IBBHQQ", len(strings), info, 0, section, value, 0)
            strings += name.encode() + b"\0"
        strings += bytes(-len(strings) % 8)
        ordered = sorted(self.relocations, key=lambda r: (r[1] != OUT_RELATIVE, r[0]))
        relocations = b"".join(struct.pack("<QQ", w, t | (self.syscalls[n] if n else 0) << 32) for w, t, n in ordered)

        dynamic_at = self.end
        symbols_at = dynamic_at + 16 * 9
        strings_at = symbols_at + len(symbols)
        relocations_at = strings_at + len(strings)
        names_at = relocations_at + len(relocations)
        relative = sum(t == OUT_RELATIVE for _, t, _ in ordered)
        dynamic = b"".join(struct.pack("<QQ", tag, value) for tag, value in (
            (0x11, relocations_at), (0x12, len(relocations)), (0x13, 16), (0x6FFFFFFA, relative),
            (6, symbols_at), (0xB, 24), (5, strings_at), (0xA, len(strings)), (0, 0),
        ))

        parts = [(".text", PROGBITS, ALLOC | EXEC, *self.text, 8)]
        if self.rodata[1]:
            parts.append((".rodata", PROGBITS, ALLOC, *self.rodata, 8))
        if self.relro[1]:
            parts.append((".data.rel.ro", PROGBITS, ALLOC | WRITE, *self.relro, 8))
        first = 1 + len(parts)  # index of .dynamic; .dynsym and .dynstr follow
        parts += [
            (".dynamic", DYNAMIC, ALLOC | WRITE, dynamic_at, dynamic, 8, first + 2, 0, 16),
            (".dynsym", DYNSYM, ALLOC, symbols_at, symbols, 8, first + 2, 1, 24),
            (".dynstr", STRTAB, ALLOC, strings_at, strings, 1),
            (".rel.dyn", REL, ALLOC, relocations_at, relocations, 8, first + 1, 0, 16),
        ]
        names = b"\0" + b"".join(p[0].encode() + b"\0" for p in parts) + b".shstrtab\0"
        parts.append((".shstrtab", STRTAB, 0, names_at, names, 1))
        headers_at = align8(names_at + len(names))

        out = bytearray(headers_at + SECTION_HEADER * (1 + len(parts)))
        for index, part in enumerate(parts):
            name, type_, flags, address, content, alignment, *rest = part
            link, info, size = rest or (0, 0, 0)
            out[address:address + len(content)] = content
            at = headers_at + SECTION_HEADER * (index + 1)
            where = names.index(b"\0" + name.encode() + b"\0") + 1
            struct.pack_into("<IIQQQQIIQQ", out, at, where, type_, flags, address if flags & ALLOC else 0,
                             address, len(content), link, info, alignment, size)

        text_at, text = self.text
        text_end = text_at + len(text)
        struct.pack_into("<16sHHIQQQIHHHHHH", out, 0, b"\x7fELF\x02\x01\x01", 3, MACHINE_BPF, 1, entry, ELF_HEADER, headers_at,
                         0, ELF_HEADER, PROGRAM_HEADER, 3, SECTION_HEADER, 1 + len(parts), len(parts))
        segments = [(1, 5, text_at, len(text), 0x1000), (1, 4, text_end, names_at - text_end, 0x1000), (2, 6, dynamic_at, len(dynamic), 8)]
        for index, (type_, flags, at, size, alignment) in enumerate(segments):
            struct.pack_into("<IIQQQQQQ", out, ELF_HEADER + PROGRAM_HEADER * index, type_, flags, at, at, at, size, size, alignment)
        return bytes(out)


def relink(data):
    """A relocatable BPF object's bytes to a Solana program's."""
    image = Image(Object(data))
    image.relocate()
    image.fix_indirect_calls()
    return image.write()
