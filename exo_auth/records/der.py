"""Just enough strict DER to read an RSA public key out of a DKIM record (records, pure).

SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { OID rsaEncryption, NULL }, BIT STRING { RSAPublicKey } }
RSAPublicKey         ::= SEQUENCE { INTEGER modulus, INTEGER exponent }            RFC 8017 §A.1.1, RFC 5280 §4.1
"""

from __future__ import annotations

from dataclasses import dataclass

_INTEGER, _BIT_STRING, _SEQUENCE = 0x02, 0x03, 0x30
_RSA_ALGORITHM = bytes.fromhex("06092a864886f70d010101")  # OID 1.2.840.113549.1.1.1, rsaEncryption
_NULL = bytes.fromhex("0500")
# What nearly every key is: 2,048 bits in a SubjectPublicKeyInfo, with the exponent 65537.
_USUAL_HEAD = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
_USUAL_TAIL = bytes.fromhex("0203010001")
_USUAL_LENGTH = len(_USUAL_HEAD) + 256 + len(_USUAL_TAIL)


class DerError(ValueError):
    """The bytes are not the DER of an RSA public key."""


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA public key."""

    modulus: int
    exponent: int

    @property
    def size(self) -> int:
        """Bits of the modulus."""
        return self.modulus.bit_length()


def read_rsa_key(data: bytes) -> RsaKey:
    """Read a SubjectPublicKeyInfo or a bare RSAPublicKey; raises DerError.

    RFC 6376 §3.6.1 asks for RSAPublicKey; what everybody publishes is SubjectPublicKeyInfo (erratum 3017).
    """
    if len(data) == _USUAL_LENGTH and data.startswith(_USUAL_HEAD) and data.endswith(_USUAL_TAIL):
        return _rsa_key(int.from_bytes(data[len(_USUAL_HEAD) : -len(_USUAL_TAIL)]), 65537)
    body, rest = _element(data, _SEQUENCE)
    _nothing(rest)
    if body[:1] == bytes([_INTEGER]):
        return _rsa_public_key(body)
    algorithm, rest = _element(body, _SEQUENCE)
    if algorithm not in (_RSA_ALGORITHM, _RSA_ALGORITHM + _NULL):
        raise DerError("the key is not an RSA key")
    bits, rest = _element(rest, _BIT_STRING)
    _nothing(rest)
    if bits[:1] != b"\x00":
        raise DerError("the bit string does not hold whole octets")
    inner, rest = _element(bits[1:], _SEQUENCE)
    _nothing(rest)
    return _rsa_public_key(inner)


def _rsa_public_key(body: bytes) -> RsaKey:
    modulus, rest = _integer(body)
    exponent, rest = _integer(rest)
    _nothing(rest)
    return _rsa_key(modulus, exponent)


def _rsa_key(modulus: int, exponent: int) -> RsaKey:
    if exponent < 3 or modulus % 2 == 0:
        raise DerError("modulus and exponent are not those of an RSA key")
    return RsaKey(modulus, exponent)


def _integer(data: bytes) -> tuple[int, bytes]:
    body, rest = _element(data, _INTEGER)
    if not body or body[0] & 0x80:
        raise DerError("an integer is empty or negative")
    return int.from_bytes(body), rest


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    if len(data) < 2:
        raise DerError("the key ends too early")
    if data[0] != tag:
        raise DerError(f"the element 0x{data[0]:02x} stands where 0x{tag:02x} should")
    length, start = data[1], 2
    if length & 0x80:
        octets = length & 0x7F
        start += octets
        if not 1 <= octets <= 4 or len(data) < start:
            raise DerError("a length is malformed")
        length = int.from_bytes(data[2:start])
    if len(data) < start + length:
        raise DerError(f"the key ends too early: {start + length - len(data)} octets are missing")
    return data[start : start + length], data[start + length :]


def _nothing(rest: bytes) -> None:
    if rest:
        raise DerError(f"{len(rest)} octets follow the key")
