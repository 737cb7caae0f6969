"""The guest's only file system, in memory: busybox, cryptsetup, Python, the room host, and the kernel's modules."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

PACKAGE = "linux-image-cloud-amd64"
_PROGRAMS = (
    "cryptsetup", "dmsetup", "losetup", "blkid", "mkfs.ext4", "resize2fs", "e2fsck", "fsfreeze", "mount", "umount",
    "blockdev",
)  # fmt: skip
_MODULES = (
    "virtio_pci", "virtio_blk", "loop", "xts", "ecb", "cryptd", "crypto_simd", "aesni-intel", "algif_skcipher",
    "dm-mod", "dm-crypt", "dm-flakey",
)  # fmt: skip
_LIBRARIES = ("botocore", "urllib3", "jmespath", "dateutil", "six")
_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "data", "test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "site-packages", "config-*",
    "turtledemo", "pydoc_data",
)  # fmt: skip
_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /dev/pts /run /tmp /mnt
ln -sf /proc/self/fd /dev/fd; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
modprobe -a virtio_pci virtio_blk loop ecb xts aesni-intel algif_skcipher dm-mod dm-crypt dm-flakey 2>&1
export PYTHONHOME=/python PYTHONPATH=/fuin/src:/fuin:/python/extra PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
/python/bin/python3 -m tests.host.guest.steps $(sed 's/.*fuin=\\([a-z]*\\).*/\\1/' /proc/cmdline) 2>&1
echo "ENDED $?"
poweroff -f
"""


def fetch_kernel(folder: Path) -> Path | None:
    """Return a folder with Debian's cloud kernel, unpacked and not installed; None where it is not to be had."""
    unpacked = folder / "kernel"
    if not list(unpacked.glob("boot/vmlinuz-*")):
        shown = subprocess.run(["apt-cache", "depends", PACKAGE], capture_output=True, text=True, check=False).stdout
        names = [word for word in shown.split() if word.startswith("linux-image-") and word != PACKAGE]
        if not names:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        if subprocess.run(["apt-get", "download", "-qq", names[0]], cwd=folder, check=False).returncode:
            return None
        subprocess.run(["dpkg", "-x", next(folder.glob("linux-image-*.deb")), unpacked], check=True)
    return unpacked


def build(folder: Path, kernel: Path) -> tuple[Path, Path]:
    """Return the kernel and the initial file system that qemu starts."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", "sbin", "proc", "sys", "dev", "etc", "usr"):
        (root / name).mkdir(parents=True)
    for name in ("usr/bin", "usr/sbin"):
        (root / name).symlink_to("/bin")
    (root / "sbin").rmdir()
    (root / "sbin").symlink_to("/bin")
    shutil.copy(str(shutil.which("busybox")), root / "bin")
    init = root / "init"
    init.write_text(_INIT)
    init.chmod(0o755)
    _copy_programs(root)
    _copy_python(root)
    _copy_modules(root, kernel)
    archive = folder / "initrd"
    with archive.open("wb") as out:
        names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=out, check=True)
    return next(kernel.glob("boot/vmlinuz-*")), archive


def _copy_programs(root: Path) -> None:
    for name in _PROGRAMS:
        path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if path is None:
            raise SystemExit(f"{name} is not installed")
        shutil.copy(path, root / "bin" / name)
        _copy_libraries(root, [Path(path)])


def _copy_libraries(root: Path, files: Iterable[Path]) -> None:
    for file in files:
        shown = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
        for word in shown.split():
            if word.startswith("/") and not (root / word[1:]).exists():
                (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, root / word[1:])


def _copy_python(root: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    home = root / "python"
    (home / "bin").mkdir(parents=True)
    executable = Path(sys.base_prefix) / "bin" / version
    shutil.copy(executable.resolve(), home / "bin" / "python3")
    library = Path(sysconfig.get_paths()["stdlib"])
    shutil.copytree(library, home / "lib" / version, ignore=_LEFT_OUT)
    _copy_libraries(root, [executable, *library.glob("lib-dynload/*.so")])
    for name in _LIBRARIES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, home / "extra" / name, ignore=_LEFT_OUT)
        else:
            shutil.copy(origin, home / "extra")
    for part in ("errors.py", "secret.py", "__init__.py"):
        (root / "fuin/src/fuin").mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "src/fuin" / part, root / "fuin/src/fuin" / part)
    shutil.copytree(REPOSITORY / "src/fuin/host", root / "fuin/src/fuin/host", ignore=_LEFT_OUT)
    shutil.copytree(REPOSITORY / "tests/host", root / "fuin/tests/host", ignore=_LEFT_OUT)
    shutil.copy(REPOSITORY / "tests/__init__.py", root / "fuin/tests/__init__.py")


def _copy_modules(root: Path, kernel: Path) -> None:
    base = next(kernel.glob("lib/modules/*"))
    target = root / "lib/modules" / base.name
    target.mkdir(parents=True)
    for file in base.glob("modules.builtin*"):
        shutil.copy(file, target)
    subprocess.run(["depmod", "-b", kernel, base.name], check=True)
    needed: set[str] = set()
    waiting = [name.replace("_", "-") for name in _MODULES]
    lines = (base / "modules.dep").read_text().splitlines()
    by_name = {line.split(":")[0].rsplit("/", 1)[1].removesuffix(".ko").replace("_", "-"): line for line in lines}
    for name in waiting:
        if name in by_name:
            needed.update(by_name[name].replace(":", "").split())
    for name in needed:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base / name, target / name)
    subprocess.run(["depmod", "-b", root, base.name], check=True)
