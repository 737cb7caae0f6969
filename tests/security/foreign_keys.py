"""Keys as strangers send them: DER with whatever numbers they like."""

RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d0101010500")
DH = bytes.fromhex("06092a864886f70d010301")  # PKCS #3
LONG_PRIME = 2**4423 - 1  # of Mersenne's; how long a check takes grows with the third power of the length
OTHER_LONG_PRIME = 2**3217 - 1


def tlv(tag: int, content: bytes) -> bytes:
    """Return one DER value."""
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*contents: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(0x30, b"".join(contents))


def integer(number: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1))


def pkcs8(algorithm: bytes, key: bytes) -> bytes:
    """Return a private key; `algorithm` is the contents of its AlgorithmIdentifier."""
    return sequence(integer(0), sequence(algorithm), tlv(4, key))


def spki(algorithm: bytes, key: bytes) -> bytes:
    """Return a public key."""
    return sequence(sequence(algorithm), tlv(3, b"\0" + key))


def rsa(modulus: int, p: int, q: int) -> bytes:
    """Return a private key of these primes; its other numbers are made up."""
    return pkcs8(RSA_ENCRYPTION, sequence(*map(integer, (0, modulus, 65537, 3, p, q, 3, 3, 3))))


def dh_parameters(prime: int) -> bytes:
    """Return the algorithm of Diffie-Hellman keys in the group of a prime."""
    return DH + sequence(integer(prime), integer(2))
