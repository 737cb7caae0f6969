"""A clean environment for clients and servers, whatever the machine sets for every process."""

import os
from pathlib import Path

# Certificate bundles and endpoints that a machine may set for every process; see docs on private CAs of each client.
_UNWANTED_ENDINGS = ("_CA_BUNDLE", "_CA_CERTS", "_proxy", "_PROXY")
_UNWANTED_STARTS = ("AWS_", "BOTO_", "FUIN_", "RCLONE_", "SSL_CERT_", "PIP_", "PYTHON")


def is_unwanted(name: str) -> bool:
    """Return whether an environment variable could change what a client or the server does."""
    return name.startswith(_UNWANTED_STARTS) or name.endswith(_UNWANTED_ENDINGS)


def clean(home: Path, **more: str) -> dict[str, str]:
    """Return an environment without the unwanted variables, with `home` as the home folder, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not is_unwanted(name)}
    settings = {
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return kept | settings | more
