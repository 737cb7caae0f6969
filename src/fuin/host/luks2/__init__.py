"""LUKS2 for the dm-crypt of the kernel: the data key of KMS is the volume key."""
