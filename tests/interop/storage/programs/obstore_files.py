"""obstore: BUCKET FILE, or --version."""

import os
import sys
from pathlib import Path

import obstore
from obstore.store import S3Store

if sys.argv[1] == "--version":
    print(obstore.__version__)
    sys.exit()
bucket, content = sys.argv[1], Path(sys.argv[2]).read_bytes()
trust = os.environ.get("SSL_CERT_FILE")
options = {"root_certificate": Path(trust).read_bytes()} if trust else {"allow_http": True}
store = S3Store(bucket, endpoint=os.environ["AWS_ENDPOINT_URL"], region="us-east-1", client_options=options)
obstore.put(store, "dir/large.bin", content, use_multipart=True, chunk_size=5 * 2**20)
assert bytes(obstore.get(store, "dir/large.bin").bytes()) == content
assert bytes(obstore.get_range(store, "dir/large.bin", start=7_000_000, end=7_000_100)) == content[7_000_000:7_000_100]
obstore.copy(store, "dir/large.bin", "dir/copied.bin")
obstore.put(store, "gone.bin", b"x")
assert [entry["path"] for entry in obstore.list(store, prefix="dir").collect()] == ["dir/copied.bin", "dir/large.bin"]
obstore.delete(store, "gone.bin")
print("right")
