/* What the helper files share. Everything is an integer: floats travel as their bits. */
typedef unsigned char u8;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;
typedef unsigned __int128 u128;
typedef __int128 i128;

/* HELPER: one copy in the program. INLINE: part of its caller, because wide values don't fit registers. */
#define HELPER __attribute__((noinline))
#define INLINE __attribute__((always_inline))

static inline u128 join(u64 high, u64 low) { return (u128)high << 64 | low; }
static inline u64 low_word(u128 x) { return (u64)x; }
static inline u64 high_word(u128 x) { return (u64)(x >> 64); }

static inline int leading_zeros(u64 x) {
  int n = 0;
  if (!(x >> 32)) { n += 32; x <<= 32; }
  if (!(x >> 48)) { n += 16; x <<= 16; }
  if (!(x >> 56)) { n += 8; x <<= 8; }
  if (!(x >> 60)) { n += 4; x <<= 4; }
  if (!(x >> 62)) { n += 2; x <<= 2; }
  return n + !(x >> 63);
}

u64 sbf_umulh(u64 a, u64 b);
void sbf_udivmod128(u64 a_low, u64 a_high, u64 b_low, u64 b_high, u64 *out);
