/* Integer arithmetic that the BPF backend has no instruction for. Nothing here may itself use a
   128-bit multiply or divide, or a signed divide: there is no second round for them. */
#include "common.h"

/* High word of the 128-bit product. */
HELPER u64 sbf_umulh(u64 a, u64 b) {
  u64 al = (unsigned)a, ah = a >> 32, bl = (unsigned)b, bh = b >> 32;
  u64 low = al * bl, cross1 = al * bh, cross2 = ah * bl;
  u64 middle = (low >> 32) + (unsigned)cross1 + (unsigned)cross2;
  return ah * bh + (cross1 >> 32) + (cross2 >> 32) + (middle >> 32);
}

INLINE u64 sbf_smulh(u64 a, u64 b) {
  return sbf_umulh(a, b) - (((i64)a >> 63) & b) - (((i64)b >> 63) & a);
}

INLINE u128 sbf_mul128(u128 a, u128 b) {
  u64 al = low_word(a), bl = low_word(b);
  u64 high = sbf_umulh(al, bl) + al * high_word(b) + high_word(a) * bl;
  return join(high, al * bl);
}

/* 64-bit multiply of signed operands is the unsigned one; the name exists for symmetry. */
INLINE u64 sbf_mul64(u64 a, u64 b) { return a * b; }

/* out = a * b mod 2^128; answers whether it overflowed. */
HELPER u64 sbf_umul128_parts(u64 al, u64 ah, u64 bl, u64 bh, u64 *out) {
  u64 low = al * bl, carry = sbf_umulh(al, bl);
  u64 cross = ah ? ah * bl : al * bh;
  u64 overflow = (ah && bh) || (ah ? sbf_umulh(ah, bl) : sbf_umulh(al, bh));
  u64 high = carry + cross;
  out[0] = low;
  out[1] = high;
  if (ah && bh) out[1] += al * bh;
  return overflow || high < carry;
}

INLINE u64 sbf_umulo128(u128 a, u128 b, u128 *out) {
  u64 words[2];
  u64 overflow = sbf_umul128_parts(low_word(a), high_word(a), low_word(b), high_word(b), words);
  *out = join(words[1], words[0]);
  return overflow;
}

static inline u128 magnitude(u128 x) { return (i64)high_word(x) < 0 ? -x : x; }

INLINE u64 sbf_smulo128(u128 a, u128 b, u128 *out) {
  u128 product;
  u64 overflow = sbf_umulo128(magnitude(a), magnitude(b), &product);
  u64 negative = (high_word(a) ^ high_word(b)) >> 63;
  /* The magnitude may reach 2^127 only when the result is negative. */
  u64 most = high_word(product);
  if (most >> 63 && !(negative && most == 1ULL << 63 && !low_word(product))) overflow = 1;
  *out = negative ? -product : product;
  return overflow;
}

INLINE i64 sbf_sdiv64(i64 a, i64 b) {
  u64 x = a < 0 ? -(u64)a : a, y = b < 0 ? -(u64)b : b, q = x / y;
  return (a ^ b) < 0 ? -q : q;
}

INLINE i64 sbf_srem64(i64 a, i64 b) {
  u64 x = a < 0 ? -(u64)a : a, y = b < 0 ? -(u64)b : b, r = x % y;
  return a < 0 ? -r : r;
}

/* out[0..1] quotient, out[2..3] remainder, low word first. */
HELPER void sbf_udivmod128(u64 a_low, u64 a_high, u64 b_low, u64 b_high, u64 *out) {
  u64 q_low = 0, q_high = 0, r_low = 0, r_high = 0;
  if (!a_high && !b_high) {
    out[0] = a_low / b_low;
    out[1] = 0;
    out[2] = a_low % b_low;
    out[3] = 0;
    return;
  }
  if (!b_high && !(b_low >> 32)) { /* long division by a 32-bit digit: three machine divides */
    u64 r = a_high % b_low, digit = r << 32 | a_low >> 32;
    out[1] = a_high / b_low;
    out[0] = digit / b_low << 32;
    digit = digit % b_low << 32 | (unsigned)a_low;
    out[0] |= digit / b_low;
    out[2] = digit % b_low;
    out[3] = 0;
    return;
  }
  if (!a_high) { /* b has a high word: larger than a */
    out[0] = out[1] = 0;
    out[2] = a_low;
    out[3] = 0;
    return;
  }
  /* The high word's 64 steps at once. Either b > 2^64 > a_high and they only fill the remainder,
     or b has one word and the machine divides. */
  r_low = a_high;
  if (!b_high) {
    q_high = a_high / b_low;
    r_low = a_high % b_low;
  }
  for (int bit = 63; bit >= 0; bit--) {
    u64 out_bit = r_high >> 63;
    r_high = r_high << 1 | r_low >> 63;
    r_low = r_low << 1 | (a_low >> bit & 1);
    if (out_bit || r_high > b_high || (r_high == b_high && r_low >= b_low)) {
      u64 borrow = r_low < b_low;
      r_low -= b_low;
      r_high -= b_high + borrow;
      q_low |= 1ULL << bit;
    }
  }
  out[0] = q_low;
  out[1] = q_high;
  out[2] = r_low;
  out[3] = r_high;
}

INLINE u128 sbf_udiv128(u128 a, u128 b) {
  u64 out[4];
  sbf_udivmod128(low_word(a), high_word(a), low_word(b), high_word(b), out);
  return join(out[1], out[0]);
}

INLINE u128 sbf_urem128(u128 a, u128 b) {
  u64 out[4];
  sbf_udivmod128(low_word(a), high_word(a), low_word(b), high_word(b), out);
  return join(out[3], out[2]);
}

INLINE u128 sbf_sdiv128(u128 a, u128 b) {
  u128 q = sbf_udiv128(magnitude(a), magnitude(b));
  return (i64)(high_word(a) ^ high_word(b)) < 0 ? -q : q;
}

INLINE u128 sbf_srem128(u128 a, u128 b) {
  u128 r = sbf_urem128(magnitude(a), magnitude(b));
  return (i64)high_word(a) < 0 ? -r : r;
}

/* Shifts of 128 bits by a variable amount, in words: the backend knows them by constants only. */
INLINE u128 sbf_shl128(u128 a, u128 amount) {
  u64 by = low_word(amount), low = low_word(a), high = high_word(a);
  if (by >= 64) return join(low << (by & 63), 0);
  return join(high << by | (low >> 1 >> (63 - by)), low << by);
}

INLINE u128 sbf_lshr128(u128 a, u128 amount) {
  u64 by = low_word(amount), low = low_word(a), high = high_word(a);
  if (by >= 64) return join(0, high >> (by & 63));
  return join(high >> by, low >> by | (high << 1 << (63 - by)));
}

INLINE u128 sbf_ashr128(u128 a, u128 amount) {
  u64 by = low_word(amount), low = low_word(a), high = high_word(a);
  if (by >= 64) return join((i64)high >> 63, (i64)high >> (by & 63));
  return join((i64)high >> by, low >> by | (high << 1 << (63 - by)));
}

/* The high or low half of a:b, shifted left or right; by itself a rotate when a is b. */
INLINE u128 sbf_fshl128(u128 a, u128 b, u128 amount) {
  u64 by = low_word(amount) & 127;
  return by ? sbf_shl128(a, by) | sbf_lshr128(b, 128 - by) : a;
}

INLINE u128 sbf_fshr128(u128 a, u128 b, u128 amount) {
  u64 by = low_word(amount) & 127;
  return by ? sbf_shl128(a, 128 - by) | sbf_lshr128(b, by) : b;
}
