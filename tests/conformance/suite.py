"""The suite's own files: its checkout, its configuration, and one run of it."""

import configparser
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import environment
from tests.support.server import ACCOUNT, Server, User

REPOSITORY = "https://github.com/ceph/s3-tests"
COMMIT = "8f0ae7b404a3a2fcf7038bf1e6bf29544fe9b6a3"
FILES = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")
# Not counted: bucket logging, cloud tiers, and transitions between storage classes, which are labels here.
_LEFT_OUT = ("bucket_logging", "bucket_logging_cleanup", "cloud_transition", "cloud_restore", "lifecycle_transition")
SELECTION = " and ".join(f"not {mark}" for mark in _LEFT_OUT)
_PLUGIN = "tests.conformance.adaptation.plugin"
# The sections of users beside "s3 main", and the account of each.
_ACCOUNTS = {
    "s3 alt": "210987654321",
    "s3 tenant": "320987654321",
    "iam": "430987654321",
    "iam root": "540987654321",
    "iam alt root": "650987654321",
}


def check_out(folder: Path, source: str = REPOSITORY) -> None:
    """Bring the suite's commit into a folder; one that is already there is taken as it is."""
    if not (folder / "s3tests").is_dir():
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", source, str(folder)], check=True)
        subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", COMMIT], check=True)


def configure(server: Server, file: Path) -> None:
    """Make the accounts and the two KMS keys that the suite wants, and write its configuration."""
    config = configparser.RawConfigParser()
    config["DEFAULT"] = {
        "host": "localhost",
        "port": str(server.port),
        "is_secure": str(server.tls),
        "ssl_verify": "False",
    }
    config["fixtures"] = {"bucket prefix": "conform-{random}-"}
    keys = [server.client("kms").create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    main = _user(ACCOUNT, server.root)
    config["s3 main"] = main | {"kms_keyid": keys[0], "kms_keyid2": keys[1], "api_name": "eu-central-1"}
    for section, account in _ACCOUNTS.items():
        config[section] = _user(account, server.add_account(account))
    config["s3 tenant"]["tenant"] = _ACCOUNTS["s3 tenant"]
    with file.open("w") as out:
        config.write(out)


def _user(account: str, root: User) -> dict[str, str]:
    return {
        "display_name": account,
        "user_id": account,
        "email": f"{account}@example.com",
        "access_key": root.access_key_id,
        "secret_key": root.secret_access_key,
    }


def run(
    python: Path, suite: Path, config: Path, report: Path, arguments: Sequence[str], certificate: Path | None
) -> int:  # fmt: skip
    """Run tests of the suite in its own environment; the results go to `report` as JUnit's XML."""
    variables: dict[str, Any] = environment.clean(config.parent)
    variables |= {"S3TEST_CONF": str(config), "PYTHONPATH": str(Path(__file__).parents[2])}
    variables |= {"PYTHONDONTWRITEBYTECODE": "1"}
    if certificate is not None:  # for the tests that open a socket of their own
        variables["SSL_CERT_FILE"] = str(certificate)
    options = [
        "-m",
        SELECTION,
        "-p",
        "no:cacheprovider",
        "-p",
        _PLUGIN,
        "-q",
        "-rfE",
        "--tb=short",
        f"--junitxml={report}",
    ]
    command = [os.path.abspath(python), "-m", "pytest", *options, *FILES, *arguments]
    return subprocess.run(command, cwd=suite, env=variables, check=False).returncode
