"""Without device-mapper: LUKS of qemu-storage-daemon, shown by FUSE, behind a loop device."""
