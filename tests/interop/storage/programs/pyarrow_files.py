"""pyarrow: BUCKET FILE, or --version."""

import os
import sys
from pathlib import Path

import pyarrow
from pyarrow import fs

if sys.argv[1] == "--version":
    print(pyarrow.__version__)
    sys.exit()
bucket, content = sys.argv[1], Path(sys.argv[2]).read_bytes()
scheme, _, host = os.environ["AWS_ENDPOINT_URL"].partition("://")
trust = {"tls_ca_file_path": os.environ["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in os.environ else {}
s3 = fs.S3FileSystem(endpoint_override=host, scheme=scheme, region="us-east-1", **trust)
with s3.open_output_stream(f"{bucket}/dir/large.bin") as out:
    out.write(content)
with s3.open_input_file(f"{bucket}/dir/large.bin") as source:
    assert source.size() == len(content)
    source.seek(7_000_000)
    assert source.read(100) == content[7_000_000:7_000_100]
    source.seek(0)
    assert source.read() == content
s3.copy_file(f"{bucket}/dir/large.bin", f"{bucket}/dir/copied.bin")
with s3.open_output_stream(f"{bucket}/gone.bin") as out:
    out.write(b"x")
found = s3.get_file_info(fs.FileSelector(f"{bucket}/dir"))
assert sorted(entry.base_name for entry in found) == ["copied.bin", "large.bin"]
s3.delete_file(f"{bucket}/gone.bin")
print("right")
