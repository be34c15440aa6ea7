// Random inputs from a seed: 32 bytes each, half of them made of values at which arithmetic breaks.

/** xorshift64*: the same numbers for the same seed on every machine. */
export function generator(seed) {
  let state = (BigInt(seed) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn || 1n;
  return () => {
    state ^= state >> 12n;
    state ^= (state << 25n) & 0xffffffffffffffffn;
    state ^= state >> 27n;
    return (state * 0x2545f4914f6cdd1dn) & 0xffffffffffffffffn;
  };
}

const f64 = (value) => new BigUint64Array(new Float64Array([value]).buffer)[0];
const f32 = (value) => BigInt(new Uint32Array(new Float32Array([value]).buffer)[0]);

const EDGES = [
  0n,
  1n,
  2n,
  3n,
  7n,
  10n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0x8000000000000001n,
  0xffffffffffffffffn,
  0xfffffffffffffffen,
  0x20000000000001n,
  ...[
    1,
    -1,
    0.5,
    1.5,
    2.5,
    -2.5,
    0.49999999999999994,
    4503599627370495.5,
    9007199254740992,
    1e308,
    1e-308,
    5e-324,
    2.2250738585072014e-308,
    -0,
    Infinity,
    -Infinity,
    NaN,
    2 ** 63,
    -(2 ** 63),
    2 ** 64,
    2 ** 127,
    2 ** 128,
    255.9,
    -128.9,
    3480,
    1e16,
  ].map(f64),
];
const EDGES32 = [1, -1, 0.5, 2.5, 16777217, 3.4e38, 1e-45, 1.1754942e-38, -0, Infinity, NaN, 2147483648, 1e10].map(f32);

/** A 64-bit word of one of several kinds. */
function word(next) {
  const pick = next() >> 32n;
  switch (pick % 12n) {
    case 0n:
    case 1n:
    case 2n:
      return EDGES[Number((pick >> 8n) % BigInt(EDGES.length))];
    case 3n:
      return (
        EDGES32[Number((pick >> 8n) % BigInt(EDGES32.length))] |
        (EDGES32[Number((pick >> 16n) % BigInt(EDGES32.length))] << 32n)
      );
    case 4n:
      return next() >> ((pick >> 8n) % 64n); // any magnitude
    case 5n:
      return -(next() >> ((pick >> 8n) % 64n)) & 0xffffffffffffffffn;
    case 6n:
      return f64(Number(BigInt.asIntN(32, pick)) / 16); // an everyday float
    case 7n:
      return (next() & 0x800fffffffffffffn) | ((1023n - 30n + ((pick >> 8n) % 100n)) << 52n); // floats near each other
    case 8n:
      return (
        (next() & 0x800fffff800fffffn) |
        ((127n - 8n + ((pick >> 8n) % 40n)) << 23n) |
        ((127n - 8n + ((pick >> 14n) % 40n)) << 55n)
      );
    default:
      return next();
  }
}

/** `count` inputs of 32 bytes. */
export function inputs(seed, count) {
  const next = generator(seed);
  const out = Buffer.alloc(32 * count);
  for (let i = 0; i < count * 4; i++) out.writeBigUInt64LE(word(next), i * 8);
  return out;
}
