"""`make volume-guest`: LUKS2 by the kernel's dm-crypt in a guest of qemu, with power cuts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.host.guest.image import build, fetch_kernel
from tests.host.guest.steps import NEEDLE

MIB = 1024 * 1024
_PROGRAMS = ("qemu-system-x86_64", "busybox", "cpio", "depmod", "cryptsetup")
_LIMIT = 900.0  # seconds for one life; the processor is emulated


def boot(life: str, kernel: Path, archive: Path, disks: list[Path]) -> str:
    """Run one life to its end, or to the line at which the power is cut; return what it has said."""
    drives = [word for disk in disks for word in ("-drive", f"file={disk},if=virtio,format=raw,cache=writethrough")]
    command = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nographic",
        "-no-reboot", "-nodefaults", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(archive), "-append",
        f"console=ttyS0 quiet panic=-1 no_timer_check fuin={life}", *drives,
    ]  # fmt: skip
    said = ""
    deadline = time.monotonic() + _LIMIT
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(f"  {line}")
            said += line
            if line.strip() == "HERE" or time.monotonic() > deadline:
                process.kill()
                break
    return said


def main() -> int:
    """Run the lives, and look at the raw disks after each."""
    folder = Path(os.environ.get("FUIN_GUEST", "/var/tmp/fuin-guest"))
    missing = [
        name for name in ("qemu-system-x86_64", "busybox", "cpio", "depmod", "cryptsetup") if not shutil.which(name)
    ]
    kernel = None if missing else fetch_kernel(folder)
    if kernel is None:
        print(f"volume-guest: skipped: {' '.join(missing) or 'the kernel package'} cannot be had here")
        return 0
    started = time.monotonic()
    image = build(folder, kernel)
    disks = [folder / name for name in ("disk", "second", "state")]
    for disk, size in zip(disks, (64, 64, 2), strict=True):
        with disk.open("wb") as file:
            file.truncate(size * MIB)
    for life, last in (("first", "HERE"), ("second", "HERE"), ("third", "DONE"), ("fourth", "DONE")):
        print(f"{life} life")
        said = boot(life, *image, disks)
        if last not in said or "Traceback" in said:
            print(f"volume-guest: FAILED in the {life} life")
            return 1
        if any(NEEDLE in disk.read_bytes() for disk in disks[:2]):
            print("volume-guest: FAILED: plaintext is on a raw disk")
            return 1
        if life == "first":
            os.truncate(disks[0], 112 * MIB)
    print(f"volume-guest: passed in {time.monotonic() - started:.0f} s; no plaintext on the raw disks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
