"""Real Ceph from Debian's packages: one of each daemon in the foreground's user, and a gateway that speaks S3."""

import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from fuin.testing.kit.users import User
from tests.support.processes import free_port

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph-mgr", "radosgw", "ceph-authtool", "monmaptool", "radosgw-admin", "ceph")
_START = 120.0  # seconds

_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = {root}/$name.keyring
log file = {root}/$name.log
admin socket = {root}/$name.asok
pid file = {root}/$name.pid
run dir = {root}
mon data = {root}/mon
osd data = {root}/osd
mgr data = {root}/mgr
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon pg warn min per osd = 0
mgr initial modules =
osd objectstore = bluestore
bluestore block size = 10737418240
bluestore block create = true
osd memory target = 1073741824
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw dynamic resharding = false
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 60
rgw data = {root}/rgw
"""


class Ceph:
    """A cluster of one machine; `user` is a user of its gateway at `url`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.user = User("fuin", f"AK{secrets.token_hex(9).upper()}", secrets.token_hex(20))
        self._daemons: list[subprocess.Popen[bytes]] = []
        root.mkdir(parents=True, exist_ok=True)
        for folder in ("mon", "osd", "mgr", "rgw"):
            (root / folder).mkdir()
        self._fsid, self._v1, self._v2 = str(uuid.uuid4()), free_port(), free_port()
        (root / "ceph.conf").write_text(
            _CONFIGURATION.format(fsid=self._fsid, v1=self._v1, v2=self._v2, root=root, port=self.port)
        )

    def start(self) -> "Ceph":
        """Start the daemons one after the other, and make the gateway's user."""
        try:
            self._start_monitor()
            self._start_manager()
            self._start_storage()
            rights = ("mon", "allow rw", "osd", "allow rwx", "mgr", "allow rw")
            self._key_of("client.rgw.a", "client.rgw.a.keyring", *rights)
            self.start_gateway()
            keys = ["--access-key", self.user.access_key_id, "--secret-key", self.user.secret_access_key]
            self._run("radosgw-admin", "user", "create", "--uid", "fuin", "--display-name", "Fuin", *keys)
        except BaseException:
            self.stop()
            raise
        return self

    def start_gateway(self) -> None:
        """Start the gateway, and wait until it answers."""
        self._daemon("radosgw", "-n", "client.rgw.a")
        self._wait(self._answers, "the gateway answers")

    def stop_gateway(self) -> None:
        """End the gateway alone; its data stays."""
        _end(self._daemons.pop())

    def stop(self) -> None:
        """End all daemons, the last one first."""
        while self._daemons:
            _end(self._daemons.pop())

    def _start_monitor(self) -> None:
        root = self.root
        admin, monitor = root / "client.admin.keyring", root / "mon.keyring"
        caps = [word for service in ("mon", "osd", "mds", "mgr") for word in ("--cap", service, "allow *")]
        self._run("ceph-authtool", "-C", str(admin), "--gen-key", "-n", "client.admin", *caps)
        self._run("ceph-authtool", "-C", str(monitor), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self._run("ceph-authtool", str(monitor), "--import-keyring", str(admin))
        addresses = f"[v2:127.0.0.1:{self._v2},v1:127.0.0.1:{self._v1}]"
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", addresses, str(root / "monmap"))
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(root / "monmap"), "--keyring", str(monitor))
        self._daemon("ceph-mon", "-i", "a")
        self._wait(lambda: self._try("ceph", "-s"), "the monitor answers")

    def _start_manager(self) -> None:
        self._key_of("mgr.x", "mgr.x.keyring", "mon", "allow profile mgr", "osd", "allow *", "mds", "allow *")
        self._daemon("ceph-mgr", "-i", "x")

    def _start_storage(self) -> None:
        keyring, name = self.root / "osd.0.keyring", str(uuid.uuid4())
        self._run("ceph-authtool", "-C", str(keyring), "--gen-key", "-n", "osd.0")
        key = self._run("ceph-authtool", "-p", "-n", "osd.0", str(keyring)).strip()
        self._run("ceph", "osd", "new", name, "-i", "-", text=json.dumps({"cephx_secret": key}))
        self._run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", name)
        self._daemon("ceph-osd", "-i", "0")
        self._wait(lambda: "1 up" in self._run("ceph", "osd", "stat"), "the storage is up")

    def _key_of(self, name: str, file: str, *capabilities: str) -> None:
        (self.root / file).write_text(self._run("ceph", "auth", "get-or-create", name, *capabilities))

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=5).close()
        except OSError:
            return False
        return True

    def _daemon(self, program: str, *arguments: str) -> None:
        with (self.root / f"{program}.out").open("ab") as output:
            command = [program, "-c", str(self.root / "ceph.conf"), *arguments, "-f"]
            self._daemons.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output))

    def _run(self, program: str, *arguments: str, text: str = "") -> str:
        configuration = [] if program in {"ceph-authtool", "monmaptool"} else ["-c", str(self.root / "ceph.conf")]
        done = subprocess.run(
            [program, *configuration, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def _try(self, program: str, *arguments: str) -> bool:
        try:
            self._run(program, "--connect-timeout", "5", *arguments)
        except (AssertionError, subprocess.TimeoutExpired):
            return False
        return True

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _START
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain until {what}: {self.root}"
            time.sleep(0.2)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def skip_unless_installed() -> None:
    """Skip the test where Debian's packages of Ceph are not installed."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"Ceph is not installed, {', '.join(missing)} missing: tests/system-packages.sh installs it")
    if os.geteuid() != 0:
        pytest.skip("Ceph's daemons are started as root only")
