"""The process `qemu-storage-daemon`: it shows the plaintext of a disk as a file by FUSE, below a loop device."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.host import file_systems
from fuin.host.disk import BusyError, OpenDisk
from fuin.host.programs import HostError, run, succeeds
from fuin.host.qemu.header import LUKS_OFFSET

if TYPE_CHECKING:
    from fuin.secret import Secret

_PATIENCE = 10.0  # seconds for the daemon to end
_STEP = 0.02


class Daemon:
    """The process of one disk, found again by its files in a folder: `pid`, and `plaintext`, which FUSE covers."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the disk below the folder of processes, which is empty after the machine has started."""
        self._folder = folder
        self._file = folder / "plaintext"
        self._pid_file = folder / "pid"
        self._loop_file = folder / "loop"

    def start(self, disk: Path, passphrase: Secret, area: int, *, read_only: bool) -> None:
        """Start the process with the passphrase of the LUKS header; raises ProgramError, also for a wrong one.

        `area` is the size of header and data in bytes; 0 takes all of the disk.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.touch(mode=0o600)
        writable = "off" if read_only else "on"
        size = f",size={area}" if area else ""
        only = f",read-only={'on' if read_only else 'off'}"
        run(
            ["qemu-storage-daemon", "--daemonize", "--pidfile", str(self._pid_file),
             "--object", "secret,id=key,file={0}",
             "--blockdev", f"driver=file,node-name=disk,filename={_escape(disk)},discard=unmap{only}",
             "--blockdev", f"driver=raw,node-name=area,file=disk,offset={LUKS_OFFSET}{size},discard=unmap{only}",
             "--blockdev", f"driver=luks,node-name=volume,file=area,key-secret=key,discard=unmap{only}",
             "--export", f"fuse,id=file,node-name=volume,mountpoint={_escape(self._file)},writable={writable}"],
            [passphrase],
        )  # fmt: skip

    def add_loop(self, *, read_only: bool) -> Path:
        """Return a new loop device on the plaintext, which does not keep a second copy in the page cache."""
        command = ["losetup", "--show", "--find", "--direct-io=on", str(self._file)]
        if read_only:
            command.insert(1, "--read-only")
        loop = run(command).strip()
        self._loop_file.write_text(loop)
        return Path(loop)

    def find_loop(self) -> Path | None:
        """Return the loop device on the plaintext. When the process has ended, its backing file is called `/`."""
        try:
            loop = Path(self._loop_file.read_text())
            backing = Path(f"/sys/block/{loop.name}/loop/backing_file").read_text().strip()
        except OSError:
            return None
        return loop if backing in {str(self._file), "/"} else None

    @property
    def pid(self) -> int:
        """Return the number of the running process; 0 if it does not run, or if the number is now another process's."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for a process that has ended
        except (OSError, ValueError):
            return 0
        return pid if str(self._pid_file).encode() in command.split(b"\0") else 0

    def find_open(self, name: str) -> OpenDisk | None:
        """Return the open disk, if the process runs and a loop device is on its plaintext."""
        loop = self.find_loop() if self.pid else None
        return OpenDisk(name, loop) if loop else None

    def stop(self) -> None:
        """End the process in good order; raises BusyError while a file system on the plaintext is mounted."""
        loop = self.find_loop()
        if loop is not None:
            if self.pid and _is_in_use(loop):
                raise BusyError(f"{loop} is in use")
            run(["losetup", "--detach", str(loop)])
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, and clear what a process that has ended has left; what uses it gets errors."""
        loop = self.find_loop()
        self._end(signal.SIGKILL)
        if loop is not None:
            for folder in file_systems.find_mounts(loop):  # a mount of nothing, which would be in the way
                succeeds(["umount", "--lazy", str(folder)])
            succeeds(["losetup", "--detach", str(loop)])
        self._loop_file.unlink(missing_ok=True)

    def _end(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid:
            os.kill(pid, number)
        deadline = time.monotonic() + _PATIENCE
        while self.pid:
            if time.monotonic() > deadline:
                raise HostError(f"qemu-storage-daemon {pid} does not end")
            time.sleep(_STEP)
        # After a kill the mount stays, and answers every request with an error.
        if _is_mounted(self._file):
            succeeds(["umount", "--lazy", str(self._file)])
        self._pid_file.unlink(missing_ok=True)


def _escape(path: Path) -> str:
    return str(path).replace(",", ",,")


def _is_mounted(file: Path) -> bool:
    return f" {file} " in Path("/proc/self/mountinfo").read_text()


def _is_in_use(device: Path) -> bool:
    """Return whether a file system of the device is mounted, or something else holds it open for itself."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return True
    return False
