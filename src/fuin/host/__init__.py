"""The side of a volume that only its host sees: the disk, its key, its file system, and what the server asks for."""
