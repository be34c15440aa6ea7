/* The C library's memory functions, which rustc calls by name, on top of the VM's syscalls. */
#include "common.h"

void sol_memcpy_(void *to, const void *from, u64 size);
void sol_memmove_(void *to, const void *from, u64 size);
void sol_memset_(void *to, u8 byte, u64 size);
void sol_memcmp_(const void *a, const void *b, u64 size, i32 *result);

HELPER void *memcpy(void *to, const void *from, u64 size) {
  sol_memcpy_(to, from, size);
  return to;
}

HELPER void *memmove(void *to, const void *from, u64 size) {
  sol_memmove_(to, from, size);
  return to;
}

HELPER void *memset(void *to, int byte, u64 size) {
  sol_memset_(to, (u8)byte, size);
  return to;
}

HELPER i32 memcmp(const void *a, const void *b, u64 size) {
  i32 result = 0;
  sol_memcmp_(a, b, size, &result);
  return result;
}

HELPER i32 bcmp(const void *a, const void *b, u64 size) {
  i32 result = 0;
  sol_memcmp_(a, b, size, &result);
  return result;
}
