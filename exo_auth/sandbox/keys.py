"""Public keys for DKIM records: real in form and size, made in microseconds (sandbox).

Nobody signs with them, so nobody needs the private half: the modulus is a random odd number of the right length, not
a product of primes. Every parser, and every comparison, treats it as the key it looks like.
"""

from __future__ import annotations

import base64
import secrets

EXPONENT = 65537


def new_key(bits: int) -> str:
    """Make the base64 of a SubjectPublicKeyInfo whose modulus has exactly `bits` bits."""
    modulus = secrets.randbits(bits) | (1 << (bits - 1)) | 1
    numbers = _integer(modulus) + _integer(EXPONENT)
    bit_string = b"\x00" + _element(0x30, numbers)
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")  # rsaEncryption, NULL
    return base64.b64encode(_element(0x30, algorithm + _element(0x03, bit_string))).decode("ascii")


def key_text(key: str) -> str:
    """Write the TXT record that Exchange Online publishes for a key."""
    return f"v=DKIM1; k=rsa; p={key};"


def _integer(value: int) -> bytes:
    return _element(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _element(tag: int, body: bytes) -> bytes:
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + body
