"""Stage 1, patched std: rustc-web's own library source, taught what `target_os = "solana"` is.

Solana has no threads, no randomness, no files and no OS error strings, and a program brings its own
allocator. std decides such things by lists of target names; each patch adds one name to one list.
"""
import fcntl
import functools
import hashlib
import inspect
import os
import shutil
import subprocess
import sys

from . import target, toolchain
from .errors import BuildError

ALLOCATOR = '''use crate::alloc::{GlobalAlloc, Layout, System};

// A program installs its own #[global_allocator]; System only has to exist.
#[stable(feature = "alloc_system_type", since = "1.28.0")]
unsafe impl GlobalAlloc for System {
    #[inline]
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        crate::ptr::null_mut()
    }
    #[inline]
    unsafe fn dealloc(&self, _ptr: *mut u8, _layout: Layout) {}
    #[inline]
    unsafe fn realloc(&self, _ptr: *mut u8, _layout: Layout, _size: usize) -> *mut u8 {
        crate::ptr::null_mut()
    }
}
'''


def substitute(path, old, new, every=False):
    """Replaces `old` in a file, which must be there: a std that moved on is refused, not half patched."""
    with open(path) as f:
        text = f.read()
    if old not in text:
        raise BuildError(f"std patch does not apply to {path}: this rustc-web's std differs from the one the patch is for")
    with open(path, "w") as f:
        f.write(text.replace(old, new) if every else text.replace(old, new, 1))


def patch(library):
    """Applies all patches to a copy of rust's `library` folder."""
    sys_ = library + "/std/src/sys/"

    alloc = sys_ + "alloc/mod.rs"
    substitute(alloc, 'target_arch = "x86_64",', 'target_arch = "bpf",\n    target_arch = "x86_64",')
    zkvm = '    target_os = "zkvm" => {\n        mod zkvm;\n    }\n'
    substitute(alloc, zkvm, zkvm + zkvm.replace("zkvm", "solana"))
    with open(sys_ + "alloc/solana.rs", "w") as f:
        f.write(ALLOCATOR)

    substitute(
        sys_ + "io/error/mod.rs",
        '        target_os = "zkvm",\n    ) => {\n        mod generic;',
        '        target_os = "zkvm",\n        target_os = "solana",\n    ) => {\n        mod generic;',
    )
    substitute(sys_ + "thread_local/mod.rs", 'target_os = "zkvm",', 'target_os = "zkvm",\n        target_os = "solana",', every=True)

    # Two lists: who has no source of randomness, and who may therefore not define hashmap_random_keys.
    random = sys_ + "random/mod.rs"
    with open(random) as f:
        text = f.read()
    at = text.rfind("        mod unsupported;")
    group = text.rfind("any(", 0, at)
    if at < 0 or group < 0:
        raise BuildError(f"std patch does not apply to {random}")
    with open(random, "w") as f:
        f.write(text[:group] + 'any(\n        target_os = "solana",' + text[group + len("any("):])
    substitute(random, '    target_os = "vexos",\n)))]', '    target_os = "vexos",\n    target_os = "solana",\n)))]')

    # A program must be deterministic, and has no writable static to keep a seed in.
    new = "    pub fn new() -> RandomState {\n"
    substitute(
        library + "/std/src/hash/random.rs",
        new,
        new + '        if cfg!(target_os = "solana") {\n            return RandomState { k0: 0, k1: 0 };\n        }\n',
    )


@functools.lru_cache(maxsize=None)  # one answer a run, whatever happens to the file meanwhile
def fingerprint():
    """Names a patched std: the compiler's version and the text of this module."""
    text = inspect.getsource(sys.modules[__name__])
    return toolchain.rustc_version() + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def prepare(cache):
    """Makes the patched copy in the cache unless it is there; returns its `library` folder."""
    home = os.path.join(cache, "std-" + fingerprint())
    done = os.path.join(home, ".ok")
    library = os.path.join(home, "library")
    if not os.path.exists(done):
        shutil.rmtree(home, ignore_errors=True)
        os.makedirs(home)
        shutil.copytree(os.path.realpath(toolchain.STD_SOURCE), library)  # follows links: vendored crates are links
        patch(library)
        with open(done, "w"):
            pass
    return library


def sysroot(cache, say):
    """Compiles the patched std once per cache; returns the folder for rustc's --sysroot."""
    home = os.path.join(cache, "sysroot-" + fingerprint_with_target())
    with open(os.path.join(cache, "std.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second build waits for the first one's std
        if not os.path.exists(os.path.join(home, ".ok")):
            compile_sysroot(cache, home, say)
    return home


def compile_sysroot(cache, home, say):
    """Compiles the patched std into a sysroot."""
    say("std: patching and compiling it for target_os = solana (once per cache)")
    library = prepare(cache)
    linker = target.write_spec(cache)
    work = os.path.join(cache, "std-build")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work + "/src")
    with open(work + "/Cargo.toml", "w") as f:
        f.write('[package]\nname = "needs_std"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n')
    with open(work + "/src/lib.rs", "w") as f:
        f.write("// Compiling this compiles std.\n")
    flags = target.RUSTFLAGS + [f"-Clinker={linker}"] + target.remap_flags([(library, "/std")])
    env = target.environment(flags, work + "/target", cache)
    env["RUSTC_WRAPPER"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rustc_for_std")
    env["__CARGO_TESTS_ONLY_SRC_ROOT"] = library  # build this copy, not the installed source
    env["RUSTC_BOOTSTRAP_SYNTHETIC_TARGET"] = "1"  # std's build script: a target it need not know
    command = [
        toolchain.CARGO, "build", "--release", "--quiet", "--manifest-path", work + "/Cargo.toml",
        "--target", target.NAME, "-Zbuild-std=std", "-Zbuild-std-features=",
    ]
    if subprocess.run(command, env=env, cwd=work).returncode != 0:
        raise BuildError("the patched std does not compile (see above)")
    shutil.rmtree(home, ignore_errors=True)
    libs = os.path.join(home, "lib", "rustlib", target.NAME, "lib")
    os.makedirs(libs)
    deps = os.path.join(work, "target", target.NAME, "release", "deps")
    for name in sorted(os.listdir(deps)):
        if name.endswith(".rlib") and not name.startswith("libneeds_std"):
            shutil.copy(os.path.join(deps, name), libs)
    shutil.rmtree(work)
    with open(os.path.join(home, ".ok"), "w"):
        pass


def fingerprint_with_target():
    """Names a compiled std: also the target and the flags."""
    text = inspect.getsource(target)
    return fingerprint() + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
