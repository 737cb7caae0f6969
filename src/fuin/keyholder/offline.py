"""What the command line may do without a running keyholder: look at the root key's file, check the log's signatures."""

from pathlib import Path

from fuin.audit.segments import read_public_key
from fuin.keyholder.sealed.audit_signature import AuditChecker
from fuin.keyholder.sealed.root_key import (
    PassphraseError,
    RootKeyError,
    adopt_root_key,
    create_root_key,
    needs_passphrase,
    read_sealed_root_key,
    seal_root_key,
)

__all__ = [
    "AuditChecker", "PassphraseError", "RootKeyError", "adopt_root_key", "audit_checker", "create_root_key",
    "needs_passphrase", "read_sealed_root_key", "seal_root_key",
]  # fmt: skip


def audit_checker(folder: Path) -> AuditChecker:
    """Return the check of an audit folder's signatures by the public key in it; raises FormatError.

    Anyone who can replace the log can replace that key as well: an auditor keeps a copy of it elsewhere, and passes
    `AuditChecker(copy)` to `verify`.
    """
    return AuditChecker(read_public_key(folder))
