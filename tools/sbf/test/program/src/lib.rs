//! The SBF side of the comparison: a program without a framework.
//! Instruction data is a selector (2 bytes) and 32-byte inputs; the results go to the return data.
use core::alloc::{GlobalAlloc, Layout};

extern "C" {
    fn sol_set_return_data(data: *const u8, size: u64);
}

/// Hands out the VM's heap from the end of what was handed out before; never takes anything back.
struct Bump;

const HEAP: usize = 0x3_0000_0000;
const HEAP_SIZE: usize = 32 * 1024;

unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let position = HEAP as *mut usize; // the heap's first word; zero at the start
        let end = (*position).max(HEAP + 8);
        let start = end.next_multiple_of(layout.align());
        if start + layout.size() > HEAP + HEAP_SIZE {
            return core::ptr::null_mut();
        }
        *position = start + layout.size();
        start as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[cfg(target_os = "solana")]
#[global_allocator]
static ALLOCATOR: Bump = Bump;

/// # Safety
/// Called by the VM with the address of the serialized input: with no accounts that is
/// the number 0, the data's size, the data, the program's address.
#[no_mangle]
pub unsafe extern "C" fn entrypoint(input: *const u8) -> u64 {
    let size = *(input.add(8) as *const u64) as usize;
    let data = core::slice::from_raw_parts(input.add(16), size);
    let selector = u16::from_le_bytes([data[0], data[1]]);
    let result = sbf_fixture_cases::run(selector, &data[2..]);
    sol_set_return_data(result.as_ptr(), result.len() as u64);
    0
}
