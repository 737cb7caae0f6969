"""The groups of Debian's packages: what `make test` needs, and what the tests of a cluster need."""

import shutil
import subprocess

import pytest

from tests.support.server import REPOSITORY


@pytest.mark.parametrize(
    ("group", "packages"),
    [
        ([], {"rclone", "postgresql", "ceph-osd", "cryptsetup-bin"}),
        (["cluster"], {"patroni", "etcd-server", "haproxy"}),
        (["volumes"], {"qemu-system-x86", "busybox-static", "kmod"}),
        (["clients"], {"restic", "s3fs", "duplicity"}),
        (["databases"], {"pgbackrest", "barman-cli-cloud"}),
    ],
)
def test_group_names_its_packages(group: list[str], packages: set[str]) -> None:
    """Where nothing is installed and nothing can be, the script says what is missing, and the tests are skipped."""
    command = [str(shutil.which("bash")), str(REPOSITORY / "tests/system-packages.sh"), *group]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=True)
    assert "no apt-get here" in done.stdout
    assert packages <= set(done.stdout.split(": ", 1)[1].split(" not installed")[0].split())
