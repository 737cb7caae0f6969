"""Uses s3fs (aiobotocore, fsspec); the endpoint comes from the environment alone.

`python s3fs_roundtrip.py BUCKET FILE` writes the file's content under three names, reads it back whole, in ranges and
by listing, and fails unless everything is as it should be.
"""

import sys
from pathlib import Path

import s3fs


def main(bucket: str, file: str) -> None:
    """Write, list, read, seek, copy and remove."""
    content = Path(file).read_bytes()
    store = s3fs.S3FileSystem()
    store.pipe_file(f"{bucket}/piped.bin", content)
    store.put_file(file, f"{bucket}/put.bin")
    with store.open(f"{bucket}/written.bin", "wb", block_size=5 * 2**20) as target:
        target.write(content)  # a multipart upload
    for name in ("piped.bin", "put.bin", "written.bin"):
        assert store.cat_file(f"{bucket}/{name}") == content, name
        assert store.info(f"{bucket}/{name}")["size"] == len(content)
    with store.open(f"{bucket}/put.bin", "rb", block_size=65_536) as source:
        source.seek(1_000_000)
        assert source.read(100_000) == content[1_000_000:1_100_000]
    assert sorted(store.ls(bucket)) == [f"{bucket}/{name}" for name in ("piped.bin", "put.bin", "written.bin")]
    store.copy(f"{bucket}/put.bin", f"{bucket}/folder/copy.bin")
    assert store.cat_file(f"{bucket}/folder/copy.bin", start=10, end=20) == content[10:20]
    assert f"{bucket}/folder" in store.ls(bucket, refresh=True)
    store.rm(f"{bucket}/folder", recursive=True)
    assert not store.exists(f"{bucket}/folder/copy.bin")
    sys.stdout.write("equal\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
