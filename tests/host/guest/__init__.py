"""A guest with device-mapper: LUKS2 by the kernel's dm-crypt, for real, on machines that have none."""
