"""Whether the numbers of an imported RSA key belong together (RFC 8017, section 3.2), and its primes are primes.

OpenSSL can check this too, but `cryptography` lets no other thread run while it does: a quarter of a second for
RSA_4096, and with primes that are longer than they may be, hours. What takes long here lets other threads run.
"""

from Crypto.Math.Primality import COMPOSITE, test_probable_prime
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers

from fuin.errors import FormatError

_EXPONENT_LIMIT = 1 << 64  # OpenSSL uses no longer public exponent with a modulus of more than 3072 bits


def check(numbers: RSAPrivateNumbers, bits: int) -> None:
    """Raise FormatError unless the numbers are those of a key with a modulus of `bits`; the primes come last.

    Both primes have half of the modulus's length: FIPS 186-5, appendix A.1.1.
    """
    p, q, d, public = numbers.p, numbers.q, numbers.d, numbers.public_numbers
    fits = (
        p.bit_length() == q.bit_length() == bits // 2
        and p != q
        and p * q == public.n
        and 3 <= public.e < _EXPONENT_LIMIT
        and 0 < d < public.n
        and public.e * d % (p - 1) == public.e * d % (q - 1) == 1
        and numbers.dmp1 == d % (p - 1)
        and numbers.dmq1 == d % (q - 1)
        and 0 < numbers.iqmp < p
        and numbers.iqmp * q % p == 1
    )
    if not fits or COMPOSITE in (test_probable_prime(p), test_probable_prime(q)):
        raise FormatError("not the numbers of an RSA key")
