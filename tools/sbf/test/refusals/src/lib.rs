//! Programs that can't be lowered, one for each feature: the build must say so and name the function.
#![cfg_attr(feature = "inline_assembly", feature(asm_experimental_arch))]

#[cfg(feature = "writable_static")]
mod refused {
    use core::sync::atomic::{AtomicU64, Ordering};
    static CALLS_SO_FAR: AtomicU64 = AtomicU64::new(0);
    pub fn count_this_call(_: u64) -> u64 {
        CALLS_SO_FAR.fetch_add(1, Ordering::Relaxed)
    }
    pub use count_this_call as run;
}

#[cfg(feature = "thread_local")]
mod refused {
    use std::cell::Cell;
    thread_local! { static LAST_SEEN: Cell<u64> = const { Cell::new(0) }; }
    pub fn remember_last(x: u64) -> u64 {
        LAST_SEEN.with(|last| last.replace(x))
    }
    pub use remember_last as run;
}

#[cfg(feature = "inline_assembly")]
mod refused {
    pub fn copy_by_assembly(x: u64) -> u64 {
        let y: u64;
        unsafe { core::arch::asm!("{0} = {1}", out(reg) y, in(reg) x) };
        y
    }
    pub use copy_by_assembly as run;
}

#[cfg(feature = "float_power")]
mod refused {
    pub fn compound_interest(x: u64) -> u64 {
        (x as f64).powf(1.05) as u64
    }
    pub use compound_interest as run;
}

#[cfg(feature = "no_syscall")]
mod refused {
    extern "C" {
        fn open_a_file(x: u64) -> u64;
    }
    pub fn read_configuration(x: u64) -> u64 {
        unsafe { open_a_file(x) }
    }
    pub use read_configuration as run;
}

#[cfg(feature = "big_frame")]
mod refused {
    #[inline(never)]
    pub fn sort_on_the_stack(x: u64) -> u64 {
        let mut all = [x; 600];
        core::hint::black_box(&mut all);
        all[(x % 600) as usize]
    }
    pub use sort_on_the_stack as run;
}

#[cfg(feature = "no_entrypoint")]
mod refused {}

#[cfg(not(feature = "no_entrypoint"))]
#[no_mangle]
/// # Safety
/// Called by the VM with the address of the serialized input.
pub unsafe extern "C" fn entrypoint(input: *const u64) -> u64 {
    refused::run(*input)
}
