"""Key primitives are imported where the keys are: in the keyholder and in the client-side envelope."""

import pytest

from tests.house.source import Module, modules, names

PRIMITIVES = ("cryptography", "argon2", "nacl", "Crypto", "Cryptodome", "pkcs11", "OpenSSL")
ROOMS = ("keyholder", "envelope")

# (module, start of the imported name): why it may.
EXCEPTIONS = {
    ("server.tls", "cryptography.x509"): "makes the self-signed certificate",
    ("server.tls", "cryptography.hazmat.primitives"): "the certificate's own key pair, which is no KMS key",
    ("testing.xks_proxy.manager", "cryptography.hazmat.primitives.ciphers.aead"): "is an external key manager itself",
    ("testing.xks_proxy.manager", "cryptography.exceptions"): "the same",
}


def misplaced(module: Module, known: frozenset[str]) -> list[str]:
    """Return the imports of key primitives that a module may not have."""
    if module.room in ROOMS:
        return []
    found = []
    for line, full in module.imports(known):
        excepted = any(module.name == name and full.startswith(start) for name, start in EXCEPTIONS)
        if full.split(".")[0] in PRIMITIVES and not excepted:
            found.append(f"{module.name}:{line} imports {full}")
    return found


def test_primitives_stay_with_the_keys() -> None:
    """Only the keyholder and the envelope import ciphers, signatures and password hashing."""
    known = names(modules())
    found = [line for module in modules() for line in misplaced(module, known)]
    assert not found, "\n".join(found)


def test_every_exception_is_used() -> None:
    """An exception that nothing needs any more is taken off the list."""
    known = names(modules())
    used = {(module.name, full) for module in modules() for _, full in module.imports(known)}
    for name, start in EXCEPTIONS:
        assert any(name == user and full.startswith(start) for user, full in used), f"{name}: {start} is not imported"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kms.uses.data_keys", "from cryptography.hazmat.primitives.ciphers.aead import AESGCM"),
        ("server.application", "import cryptography.x509"),
        ("server.tls", "import argon2"),
        ("cli.main", "def f() -> None:\n    import argon2.low_level"),
    ],
)
def test_misplaced_primitive_is_found(name: str, text: str) -> None:
    """The check itself sees a primitive outside its rooms."""
    assert misplaced(Module(name, text), frozenset())
