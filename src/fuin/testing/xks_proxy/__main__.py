"""`python -m fuin.testing.xks_proxy`: the proxy as a process, with keys in a file, for trials."""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import sys
from pathlib import Path

from fuin.testing.xks_proxy.manager import ExternalKey, KeyManager
from fuin.testing.xks_proxy.server import Proxy, Server

_SECRET = "XKS_PROXY_SECRET_ACCESS_KEY"  # noqa: S105


def main() -> None:
    """Serve until interrupted; the first lines printed are AWS's proxy configuration file."""
    given = _argument_parser().parse_args()
    keys = _keys(given.keys, given.key)
    secret = os.environ.get(_SECRET) or base64.b64encode(os.urandom(33)).decode()
    access_key_id = given.access_key_id or base64.b32encode(os.urandom(15)).decode()
    proxy = Proxy(given.prefix, credentials={access_key_id: secret}, manager=keys)
    credential = {"AccessKeyId": access_key_id, "RawSecretAccessKey": secret}
    configuration = {"XksProxyUriPath": proxy.path, "XksProxyAuthenticationCredential": credential}
    server = Server(proxy, given.cert, given.cert_key, given.host, given.port)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background programs ignore it
    try:
        sys.stdout.write(f"{json.dumps(configuration, indent=4)}\nready https://{given.host}:{server.port}\n")
        sys.stdout.flush()
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("fuin.testing.xks_proxy", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--cert", type=Path, required=True, help="PEM certificate chain")
    parser.add_argument("--cert-key", type=Path, required=True, help="PEM private key")
    parser.add_argument("--prefix", default="", help="path before /kms/xks/v1")
    parser.add_argument("--keys", type=Path, help="file that keeps the external keys")
    parser.add_argument("--key", action="append", default=[], help="id of an external key, made if it is not there")
    parser.add_argument("--access-key-id", help=f"20 to 30 letters and digits; the secret comes from {_SECRET}")
    return parser


def _keys(path: Path | None, wanted: list[str]) -> KeyManager:
    """Return the keys in a file and the ids given; the file is written anew if there are new keys."""
    manager = KeyManager()
    stored: dict[str, list[str]] = json.loads(path.read_text("utf-8")) if path is not None and path.exists() else {}
    for key_id, versions in stored.items():
        manager.add(key_id, ExternalKey(versions=[base64.b64decode(version) for version in versions]))
    for key_id in wanted:
        if key_id not in manager.keys:
            manager.add(key_id)
    if path is not None and manager.keys.keys() != stored.keys():
        content = {
            key_id: [base64.b64encode(version).decode() for version in key.versions]
            for key_id, key in manager.keys.items()
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
    return manager


if __name__ == "__main__":
    main()
