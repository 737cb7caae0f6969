"""The blocks of snapshots: how they are encrypted, gathered into packs, listed in an index, and counted.

`docs/formats/snapshot.md` draws the bytes. This room knows nothing of a wire: `ebs/` and `ec2/` use it.
"""
