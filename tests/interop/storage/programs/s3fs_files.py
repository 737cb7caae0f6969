"""s3fs for Python: BUCKET FILE, or --version."""

import sys
from pathlib import Path

import s3fs

if sys.argv[1] == "--version":
    print(s3fs.__version__)
    sys.exit()
bucket, file = sys.argv[1:]
content = Path(file).read_bytes()
files = s3fs.S3FileSystem(default_block_size=5 * 2**20)
with files.open(f"{bucket}/dir/large.bin", "wb") as out:
    out.write(content)
assert files.cat(f"{bucket}/dir/large.bin") == content
assert files.cat_file(f"{bucket}/dir/large.bin", start=7_000_000, end=7_000_100) == content[7_000_000:7_000_100]
files.copy(f"{bucket}/dir/large.bin", f"{bucket}/dir/copied.bin")
files.pipe(f"{bucket}/gone.bin", b"x")
assert sorted(files.ls(f"{bucket}/dir", detail=False)) == [f"{bucket}/dir/copied.bin", f"{bucket}/dir/large.bin"]
files.rm(f"{bucket}/gone.bin")
print("right")
