"""A new Solana keypair as `solana-keygen` writes it: 64 numbers, the Ed25519 seed and its public key.

Python's standard library has no Ed25519 and this tool takes no packages, hence the few lines of
curve arithmetic. Not constant-time: for program addresses and wallets of tests, never for money.
"""
import hashlib
import json
import os

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202


def add(a, b):
    """Sum of two points in extended coordinates."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * D * t1 * t2 % P
    h = 2 * z1 * z2 % P
    return ((f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P)


def public_key(seed):
    """The 32-byte public key of a 32-byte seed (RFC 8032, section 5.1.5)."""
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    n = int.from_bytes(scalar, "little")
    point, base = (0, 1, 1, 0), (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)
    while n:
        if n & 1:
            point = add(point, base)
        base = add(base, base)
        n >>= 1
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def generate():
    """A fresh keypair as a list of 64 numbers."""
    seed = os.urandom(32)
    return list(seed + public_key(seed))


def write(path):
    """Writes a fresh keypair, readable by its owner only."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
        json.dump(generate(), f)
