/* IEEE-754 arithmetic on bit patterns, rounding to nearest even. NaN payloads are not kept: every
   NaN result is the one below, which Rust allows. */
#include "common.h"

#define SIGN (1ULL << 63)
#define INFINITY_BITS 0x7ff0000000000000ULL
#define NAN_BITS 0x7ff8000000000000ULL
#define HIDDEN (1ULL << 52)
#define FRACTION (HIDDEN - 1)

static inline int exponent(u64 a) { return a >> 52 & 0x7ff; }
static inline u64 fraction(u64 a) { return a & FRACTION; }
static inline int is_nan(u64 a) { return (a & ~SIGN) > INFINITY_BITS; }
static inline int is_infinite(u64 a) { return (a & ~SIGN) == INFINITY_BITS; }
static inline int is_zero(u64 a) { return !(a & ~SIGN); }

/* Shifts right and keeps in the lowest bit whether anything was lost. */
static inline u64 shift_sticky(u64 x, int by) {
  if (by <= 0) return x;
  if (by > 63) return x != 0;
  return x >> by | (x << (64 - by) != 0);
}

/* Rounds and packs. mantissa: leading one at bit 62 (or zero), lowest bit sticky; the value is
   mantissa * 2^(exponent - 1023 - 62). */
static u64 __attribute__((noinline)) pack(u64 sign, int e, u64 mantissa) {
  if (!mantissa) return sign;
  if (e <= 0) { /* subnormal: the leading one moves below its place */
    mantissa = shift_sticky(mantissa, 1 - e);
    e = 0;
  }
  u64 rest = mantissa & 0x3ff, kept = mantissa >> 10;
  kept += rest > 0x200 || (rest == 0x200 && (kept & 1));
  /* kept includes the leading one, which adds one to the exponent field; a carry out does the same. */
  if (e > 0) e--;
  u64 bits = ((u64)e << 52) + kept;
  return sign | (bits >= INFINITY_BITS ? INFINITY_BITS : bits);
}

/* A finite, nonzero number as exponent and 53-bit mantissa with its leading one at bit 52. */
static inline u64 unpack(u64 a, int *e) {
  u64 f = fraction(a);
  *e = exponent(a);
  if (*e) return f | HIDDEN;
  int shift = leading_zeros(f) - 11;
  *e = 1 - shift;
  return f << shift;
}

HELPER u64 sbf_f64_mul(u64 a, u64 b) {
  u64 sign = (a ^ b) & SIGN;
  int ea, eb;
  if (is_nan(a) || is_nan(b)) return NAN_BITS;
  if (is_infinite(a) || is_infinite(b)) return is_zero(a) || is_zero(b) ? NAN_BITS : sign | INFINITY_BITS;
  if (is_zero(a) || is_zero(b)) return sign;
  u64 ma = unpack(a, &ea) << 11, mb = unpack(b, &eb) << 10;
  u64 high = sbf_umulh(ma, mb), low = ma * mb; /* leading one at bit 61 or 62 of high */
  int e = ea + eb - 1023 + 1;
  if (!(high >> 62)) {
    high = high << 1 | low >> 63;
    low <<= 1;
    e--;
  }
  return pack(sign, e, high | (low != 0));
}

HELPER u64 sbf_f64_div(u64 a, u64 b) {
  u64 sign = (a ^ b) & SIGN, out[4];
  int ea, eb;
  if (is_nan(a) || is_nan(b) || (is_infinite(a) && is_infinite(b)) || (is_zero(a) && is_zero(b))) return NAN_BITS;
  if (is_infinite(a) || is_zero(b)) return sign | INFINITY_BITS;
  if (is_infinite(b) || is_zero(a)) return sign;
  u64 ma = unpack(a, &ea), mb = unpack(b, &eb);
  int e = ea - eb + 1023;
  if (ma < mb) {
    ma <<= 1;
    e--;
  }
  /* ma * 2^62 / mb: quotient with its leading one at bit 62. */
  sbf_udivmod128(ma << 62, ma >> 2, mb, 0, out);
  return pack(sign, e, out[0] | (out[2] != 0));
}

HELPER u64 sbf_f64_add(u64 a, u64 b) {
  int ea, eb;
  if (is_nan(a) || is_nan(b)) return NAN_BITS;
  if (is_infinite(a)) return is_infinite(b) && a != b ? NAN_BITS : a;
  if (is_infinite(b)) return b;
  if (is_zero(b)) return is_zero(a) ? a & b : a; /* -0 only when both are */
  if (is_zero(a)) return b;
  if ((a & ~SIGN) < (b & ~SIGN)) {
    u64 t = a;
    a = b;
    b = t;
  }
  /* Leading one at bit 61: room for a carry, and for nine bits below the last kept one. */
  u64 ma = unpack(a, &ea) << 9, mb = unpack(b, &eb) << 9;
  mb = shift_sticky(mb, ea - eb);
  u64 m = (a ^ b) & SIGN ? ma - mb : ma + mb;
  if (!m) return 0;
  int shift = leading_zeros(m) - 1;
  return pack(a & SIGN, ea + 1 - shift, m << shift);
}

HELPER u64 sbf_f64_sub(u64 a, u64 b) { return sbf_f64_add(a, b ^ SIGN); }

/* fmod: exact, by shift and subtract. */
HELPER u64 sbf_f64_rem(u64 a, u64 b) {
  int ea, eb;
  if (is_nan(a) || is_nan(b) || is_infinite(a) || is_zero(b)) return NAN_BITS;
  if (is_infinite(b) || (a & ~SIGN) < (b & ~SIGN)) return a;
  u64 ma = unpack(a, &ea), mb = unpack(b, &eb);
  for (;; ea--) {
    if (ma >= mb) ma -= mb;
    if (ea == eb || !ma) break;
    ma <<= 1;
  }
  if (!ma) return a & SIGN;
  int shift = leading_zeros(ma) - 1;
  return pack(a & SIGN, eb + 10 - shift, ma << shift);
}

HELPER u64 sbf_f64_sqrt(u64 a) {
  int e;
  if (is_nan(a)) return NAN_BITS;
  if (is_zero(a)) return a;
  if (a & SIGN) return NAN_BITS;
  if (is_infinite(a)) return a;
  u64 m = unpack(a, &e) << 9; /* in [2^61, 2^62): two bits a step */
  int half = e - 1023;
  if (half & 1) m <<= 1;
  /* root of m * 2^62 (m in [2^61, 2^63)), bit by bit, with its leading one at bit 61 */
  half >>= 1;
  u64 root = 0, rest_high = 0, rest_low = 0;
  u64 in_high = m, in_low = 0;
  in_high = m << 1;
  for (int i = 0; i < 63; i++) {
    rest_high = rest_high << 2 | rest_low >> 62;
    rest_low = rest_low << 2 | in_high >> 62;
    in_high = in_high << 2 | in_low >> 62;
    in_low <<= 2;
    u64 try_low = root << 2 | 1, try_high = root >> 62;
    root <<= 1;
    if (rest_high > try_high || (rest_high == try_high && rest_low >= try_low)) {
      u64 borrow = rest_low < try_low;
      rest_low -= try_low;
      rest_high -= try_high + borrow;
      root |= 1;
    }
  }
  return pack(0, half + 1023, root | (rest_low || rest_high));
}

/* 0 equal, 1 greater, 2 unordered, 3 less */
HELPER u64 sbf_f64_cmp(u64 a, u64 b) {
  if (is_nan(a) || is_nan(b)) return 2;
  if (a == b || is_zero(a | b)) return 0;
  u64 x = a & SIGN ? ~a : a | SIGN, y = b & SIGN ? ~b : b | SIGN;
  return x < y ? 3 : 1;
}

HELPER u64 sbf_f64_canonicalize(u64 a) { return is_nan(a) ? NAN_BITS : a; }

HELPER u64 sbf_f64_minnum(u64 a, u64 b) {
  if (is_nan(a)) return is_nan(b) ? NAN_BITS : b;
  if (is_nan(b)) return a;
  u64 order = sbf_f64_cmp(a, b);
  return order == 0 ? a | b : order == 3 ? a : b; /* of two zeros the negative one */
}

HELPER u64 sbf_f64_maxnum(u64 a, u64 b) {
  if (is_nan(a)) return is_nan(b) ? NAN_BITS : b;
  if (is_nan(b)) return a;
  u64 order = sbf_f64_cmp(a, b);
  return order == 0 ? a & b : order == 1 ? a : b;
}

HELPER u64 sbf_f64_minimum(u64 a, u64 b) { return is_nan(a) || is_nan(b) ? NAN_BITS : sbf_f64_minnum(a, b); }
HELPER u64 sbf_f64_maximum(u64 a, u64 b) { return is_nan(a) || is_nan(b) ? NAN_BITS : sbf_f64_maxnum(a, b); }

/* Rounding to whole numbers. `up` says by how much of the cut-off part: see each caller. */
enum mode { TRUNC, FLOOR, CEIL, HALF_AWAY, HALF_EVEN };

static inline u64 round_to(u64 a, enum mode mode) {
  int e = exponent(a), cut = 1023 + 52 - e;
  if (is_nan(a)) return NAN_BITS;
  if (cut <= 0 || is_zero(a)) return a;
  u64 sign = a & SIGN, m, rest_over_half, rest, up;
  if (cut > 53) { /* below a half */
    up = mode == FLOOR ? sign != 0 : mode == CEIL ? !sign : 0;
    return up ? sign | 1023ULL << 52 : sign;
  }
  m = (fraction(a) | HIDDEN) >> cut;
  rest = (fraction(a) | HIDDEN) & ((1ULL << cut) - 1);
  rest_over_half = rest > 1ULL << (cut - 1) ? 2 : rest == 1ULL << (cut - 1) ? 1 : 0;
  up = mode == FLOOR ? sign && rest : mode == CEIL ? !sign && rest
     : mode == HALF_AWAY ? rest_over_half >= 1 : mode == HALF_EVEN ? rest_over_half + (m & 1) >= 2 : 0;
  m += up;
  if (!m) return sign;
  int shift = leading_zeros(m) - 1;
  return pack(sign, 1023 + 62 - shift, m << shift);
}

HELPER u64 sbf_f64_trunc(u64 a) { return round_to(a, TRUNC); }
HELPER u64 sbf_f64_floor(u64 a) { return round_to(a, FLOOR); }
HELPER u64 sbf_f64_ceil(u64 a) { return round_to(a, CEIL); }
HELPER u64 sbf_f64_round(u64 a) { return round_to(a, HALF_AWAY); }
HELPER u64 sbf_f64_rint(u64 a) { return round_to(a, HALF_EVEN); }

/* Between the widths. 32-bit floats are the low half of their word. */
HELPER u64 sbf_f64_from_f32(u64 a) {
  u64 sign = a >> 31 << 63, f = a & 0x7fffff;
  int e = a >> 23 & 0xff;
  if (e == 0xff) return f ? NAN_BITS : sign | INFINITY_BITS;
  if (e) return sign | (u64)(e - 127 + 1023) << 52 | f << 29;
  if (!f) return sign;
  int shift = leading_zeros(f) - 40; /* subnormal: bring the leading one to bit 23 */
  return sign | (u64)(1 - shift - 127 + 1023) << 52 | (f << shift & 0x7fffff) << 29;
}

/* Rounds a mantissa with its leading one at bit 62 to 24 bits and packs it; e as for `pack`. */
static u64 __attribute__((noinline)) pack32(u64 sign, int e, u64 mantissa) {
  e += 127 - 1023;
  if (e <= 0) {
    mantissa = shift_sticky(mantissa, 1 - e);
    e = 0;
  }
  u64 half = 1ULL << 38, rest = mantissa & (half * 2 - 1), kept = mantissa >> 39;
  kept += rest > half || (rest == half && (kept & 1));
  if (e > 0) e--;
  u64 bits = ((u64)e << 23) + kept;
  return sign >> 32 | (bits >= 0x7f800000 ? 0x7f800000 : bits);
}

HELPER u64 sbf_f32_from_f64(u64 a) {
  int e;
  if (is_nan(a)) return 0x7fc00000;
  if (is_infinite(a)) return (a & SIGN) >> 32 | 0x7f800000;
  if (is_zero(a)) return a >> 32;
  u64 m = unpack(a, &e) << 10;
  return pack32(a & SIGN, e, m);
}

/* From integers: the top 63 bits with the rest sticky, then one rounding. */
static inline u64 from_words(u64 sign, u64 high, u64 low, int to32) {
  int e = 1023 + 62;
  if (high) { /* move the leading one of high:low to bit 63 of high, drop to one word */
    int shift = leading_zeros(high);
    e += 64 - shift;
    if (shift) high = high << shift | low >> (64 - shift);
    low = (low << shift != 0) | high;
  }
  if (!low) return 0;
  int shift = leading_zeros(low);
  u64 m = shift_sticky(low << shift, 1);
  e += 1 - shift;
  return to32 ? pack32(sign, e, m) : pack(sign, e, m);
}

HELPER u64 sbf_f64_from_u64(u64 x) { return from_words(0, 0, x, 0); }
HELPER u64 sbf_f32_from_u64(u64 x) { return from_words(0, 0, x, 1); }
HELPER u64 sbf_f64_from_i64(i64 x) { return from_words(x & SIGN, 0, x < 0 ? -(u64)x : x, 0); }
HELPER u64 sbf_f32_from_i64(i64 x) { return from_words(x & SIGN, 0, x < 0 ? -(u64)x : x, 1); }
HELPER u64 sbf_f64_from_words(u64 sign, u64 high, u64 low) { return from_words(sign, high, low, 0); }
HELPER u64 sbf_f32_from_words(u64 sign, u64 high, u64 low) { return from_words(sign, high, low, 1); }

static inline u128 magnitude(u128 x) { return (i64)high_word(x) < 0 ? -x : x; }

INLINE u64 sbf_f64_from_u128(u128 x) { return sbf_f64_from_words(0, high_word(x), low_word(x)); }
INLINE u64 sbf_f32_from_u128(u128 x) { return sbf_f32_from_words(0, high_word(x), low_word(x)); }
INLINE u64 sbf_f64_from_i128(u128 x) {
  return sbf_f64_from_words(high_word(x) & SIGN, high_word(magnitude(x)), low_word(magnitude(x)));
}
INLINE u64 sbf_f32_from_i128(u128 x) {
  return sbf_f32_from_words(high_word(x) & SIGN, high_word(magnitude(x)), low_word(magnitude(x)));
}

/* To integers, as Rust's `as`: NaN is 0, out of range is the nearest end. The sign is the caller's. */
HELPER u64 sbf_f64_to_words(u64 a, u64 *out) {
  int e = exponent(a), shift = e - 1023 - 52;
  u64 m = fraction(a) | HIDDEN;
  out[0] = out[1] = 0;
  if (is_nan(a) || e < 1023) return 0;
  if (e >= 1023 + 128) return 1; /* too big for 128 bits */
  if (shift <= 0) {
    out[0] = m >> -shift;
  } else if (shift < 64) {
    out[0] = m << shift;
    out[1] = m >> 1 >> (63 - shift);
  } else {
    out[1] = m << (shift - 64);
  }
  return 0;
}

HELPER u64 sbf_f64_to_u64(u64 a) {
  u64 words[2], big = sbf_f64_to_words(a, words);
  if (a & SIGN) return 0;
  return big || words[1] ? ~0ULL : words[0];
}

HELPER u64 sbf_f64_to_i64(u64 a) {
  u64 words[2], big = sbf_f64_to_words(a, words);
  if (is_nan(a)) return 0;
  if (big || words[1] || words[0] >> 63) return a & SIGN ? SIGN : ~SIGN;
  return a & SIGN ? -words[0] : words[0];
}

INLINE u128 sbf_f64_to_u128(u64 a) {
  u64 words[2], big = sbf_f64_to_words(a, words);
  if (a & SIGN) return 0;
  return big ? ~(u128)0 : join(words[1], words[0]);
}

INLINE u128 sbf_f64_to_i128(u64 a) {
  u64 words[2], big = sbf_f64_to_words(a, words);
  if (is_nan(a)) return 0;
  if (big || words[1] >> 63) return a & SIGN ? join(SIGN, 0) : join(~SIGN, ~0ULL);
  return a & SIGN ? -join(words[1], words[0]) : join(words[1], words[0]);
}
