"""The external key store proxy for tests, asked by a client that shares no code with it or with Fuin."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.testing.xks_proxy.manager import DISABLED, ExternalKey, ManagerCiphertext
from fuin.testing.xks_proxy.server import Proxy, Server, Switches
from tests.support.certificates import Authority

ID, SECRET = "AKIAI2SFODNN7EXAMPLE", "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"  # the specification's own
USE = {"awsPrincipalArn": "arn:1", "kmsKeyArn": "arn:2", "kmsOperation": "Encrypt", "kmsRequestId": "3"}


class Client:
    """Signs as botocore does."""

    def __init__(self, server: Server, authority: Authority) -> None:
        self.proxy = server.proxy
        self.url = f"https://localhost:{server.port}"
        self.pool = urllib3.PoolManager(ca_certs=str(authority.path), retries=False)

    def post(
        self,
        path: str,
        document: Any,
        *,
        secret: str = SECRET,
        service: str = "kms-xks-proxy",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return status and document of the answer."""
        request = AWSRequest("POST", f"{self.url}{self.proxy.path}{path}", data=json.dumps(document).encode())
        SigV4Auth(Credentials(ID, secret), service, "us-east-1").add_auth(request)
        given = {**dict(request.headers), **(headers or {})}
        answer = self.pool.request("POST", request.url, headers=given, body=request.data)
        return answer.status, json.loads(answer.data or b"{}")

    def use(self, operation: str, key: str = "first", **members: Any) -> tuple[int, Any]:
        """Encrypt or decrypt."""
        document = {"requestMetadata": USE, "encryptionAlgorithm": "AES_GCM", **members}
        return self.post(f"/keys/{key}/{operation}", document)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Give a client of a proxy with one key."""
    authority = Authority(tmp_path)
    proxy = Proxy("/some/where", credentials={ID: SECRET})
    proxy.manager.add("first")
    with Server(proxy, *authority.certificate("localhost")) as server:
        yield Client(server, authority)


def b64(data: bytes) -> str:
    """Return Base64."""
    return base64.b64encode(data).decode()


def decrypted(client: Client, encrypted: dict[str, Any], **members: Any) -> tuple[int, Any]:
    """Send back what Encrypt answered."""
    given = {name: value for name, value in encrypted.items() if name != "ciphertextDataIntegrityValue"}
    return client.use("decrypt", **given, **members)


def test_what_is_encrypted_is_decrypted(client: Client) -> None:
    """The plaintext comes back, with the same additional data and after a rotation of the external key."""
    aad = {"additionalAuthenticatedData": b64(b"project=nile")}
    status, encrypted = client.use("encrypt", plaintext=b64(bytes(4300)), **aad)
    assert status == 200
    assert len(base64.b64decode(encrypted["ciphertext"])) == 4300
    client.proxy.manager.keys["first"].rotate()
    assert decrypted(client, encrypted, **aad) == (200, {"plaintext": b64(bytes(4300))})
    assert decrypted(client, encrypted)[1]["errorName"] == "InvalidCiphertextException"
    assert client.proxy.asked[-1].document["requestMetadata"] == USE


def test_integrity_value_is_appendix_c() -> None:
    """The ciphertext data integrity value of the specification's example comes out."""
    example = ManagerCiphertext(
        base64.b64decode("ghxkK1txeDNn3q8Y"),
        base64.b64decode("a2V5X3ZlcnNpb249MQ=="),
        base64.b64decode("HMrlRw85cAJUd5Ax"),
        base64.b64decode("vBxN2ncH1oEkR8WVXpmyYQ=="),
    )
    value = example.integrity_value(b"project=nile,department=marketing")
    assert b64(value) == "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc="


def test_integrity_value_is_sent_when_asked_for(client: Client) -> None:
    """It covers additional data, metadata, vector, ciphertext and tag, and is not there unasked."""
    aad = b"x"
    asked = {"ciphertextDataIntegrityValueAlgorithm": "SHA_256", "additionalAuthenticatedData": b64(aad)}
    _, answer = client.use("encrypt", plaintext=b64(b"secret"), **asked)
    names = ("ciphertextMetadata", "initializationVector", "ciphertext", "authenticationTag")
    covered = aad + b"".join(base64.b64decode(answer[name]) for name in names)
    assert answer["ciphertextDataIntegrityValue"] == b64(hashlib.sha256(covered).digest())
    assert "ciphertextDataIntegrityValue" not in client.use("encrypt", plaintext=b64(b"secret"))[1]


def test_health_and_metadata(client: Client) -> None:
    """Both have the members of the specification."""
    asked = {"requestMetadata": {"kmsOperation": "CreateKey", "kmsRequestId": "1", "awsPrincipalArn": "arn:1"}}
    status, health = client.post("/health", asked)
    assert status == 200
    assert health["ekmFleetDetails"][0]["healthStatus"] == "ACTIVE"
    assert health["xksProxyFleetSize"] == 1
    assert client.post("/keys/first/metadata", asked) == (
        200,
        {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"},
    )


@pytest.mark.parametrize(
    ("how", "status", "name"),
    [
        ({"secret": "x" * 43}, 401, "AuthenticationFailedException"),
        ({"service": "kms"}, 401, "AuthenticationFailedException"),
        ({"headers": {"Authorization": ""}}, 401, "AuthenticationFailedException"),
        ({"headers": {"X-Amz-Date": "20200101T000000Z"}}, 401, "AuthenticationFailedException"),
        ({"headers": {"Host": "elsewhere"}}, 401, "AuthenticationFailedException"),
        ({"path": "/nothing"}, 404, "InvalidUriPathException"),
        ({"path": "/keys/second/metadata"}, 404, "KeyNotFoundException"),
        ({"document": {}}, 400, "ValidationException"),
        ({"document": []}, 400, "ValidationException"),
    ],
)
def test_refusals(client: Client, how: dict[str, Any], status: int, name: str) -> None:
    """Each error has the status and the name of the specification."""
    asked = {"requestMetadata": {"kmsOperation": "CreateKey", "kmsRequestId": "1", "awsPrincipalArn": "arn:1"}}
    given = {"path": "/keys/first/metadata", "document": asked, **how}
    got = client.post(**given)
    assert (got[0], got[1]["errorName"]) == (status, name)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"plaintext": "?"}, "ValidationException"),
        ({"plaintext": b64(bytes(4301))}, "UnsupportedOperationException"),
        ({"plaintext": b64(b"x"), "encryptionAlgorithm": "AES_CBC"}, "ValidationException"),
        ({"plaintext": b64(b"x"), "requestMetadata": {**USE, "kmsKeyArn": None}}, "ValidationException"),
        ({"plaintext": b64(b"x"), "ciphertextDataIntegrityValueAlgorithm": "MD5"}, "ValidationException"),
    ],
)
def test_bad_input(client: Client, members: dict[str, Any], name: str) -> None:
    """What is not valid is named."""
    assert client.use("encrypt", **members)[1]["errorName"] == name


def test_keys_that_do_not_serve(client: Client) -> None:
    """A disabled key and one of another use are refused."""
    client.proxy.manager.add("off", ExternalKey(status=DISABLED))
    client.proxy.manager.add("one way", ExternalKey(usage=("DECRYPT",)))
    client.proxy.manager.keys["oneway"] = client.proxy.manager.keys["one way"]
    assert client.use("encrypt", "off", plaintext=b64(b"x"))[1]["errorName"] == "InvalidStateException"
    assert client.use("encrypt", "oneway", plaintext=b64(b"x"))[1]["errorName"] == "InvalidKeyUsageException"


def test_switches(client: Client) -> None:
    """Each switch makes the proxy ill in its way, and only the named operation."""
    client.proxy.switches = Switches(only="encrypt", refuse="ThrottlingException")
    assert client.use("encrypt", plaintext=b64(b"x"))[0] == 429
    assert client.use("decrypt")[1]["errorName"] == "ValidationException"
    client.proxy.switches = Switches(raw=(200, b"7"))
    assert client.use("encrypt", plaintext=b64(b"x")) == (200, 7)
    client.proxy.switches = Switches(change=lambda answer: answer.pop("ciphertext"))
    assert "ciphertext" not in client.use("encrypt", plaintext=b64(b"x"))[1]
    client.proxy.switches = Switches(delay=0.3)
    start = time.monotonic()
    assert client.use("encrypt", plaintext=b64(b"x"))[0] == 200
    assert time.monotonic() - start > 0.3
    client.proxy.switches = Switches(hang_up=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.use("encrypt", plaintext=b64(b"x"))


def test_get_is_refused(client: Client) -> None:
    """The API is posted to: anything else is 405."""
    assert client.pool.request("GET", f"{client.url}{client.proxy.path}/health").status == 405


def test_process_keeps_its_keys(tmp_path: Path) -> None:
    """The program prints the configuration file, and a second run has the first one's keys."""
    authority = Authority(tmp_path)
    certificate, key = authority.certificate("localhost")
    keys = tmp_path / "keys.json"
    command = [
        sys.executable, "-m", "fuin.testing.xks_proxy", "--port", "0", "--cert", str(certificate), "--cert-key",
        str(key), "--keys", str(keys), "--key", "first", "--access-key-id", ID, "--prefix", "/p",
    ]  # fmt: skip
    contents = []
    for _ in range(2):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**os.environ, "XKS_PROXY_SECRET_ACCESS_KEY": SECRET}
        )
        assert process.stdout is not None
        lines = [process.stdout.readline().decode()]
        while not lines[-1].startswith("ready https://"):
            lines.append(process.stdout.readline().decode())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        configuration = json.loads("".join(lines[:-1]))
        assert configuration["XksProxyUriPath"] == "/p/kms/xks/v1"
        assert configuration["XksProxyAuthenticationCredential"] == {"AccessKeyId": ID, "RawSecretAccessKey": SECRET}
        contents.append(keys.read_text())
    assert contents[0] == contents[1]
    assert keys.stat().st_mode & 0o077 == 0
