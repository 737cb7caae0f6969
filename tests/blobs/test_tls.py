"""Blobs on an S3 that is reached by TLS: only one whose certificate is good, by the authority that was said."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuin.blobs.s3 import client
from fuin.blobs.s3.address import parse_address
from fuin.blobs.s3.store import S3Blobs
from fuin.errors import StoreUnavailable
from tests.blobs.test_contract import MIB, read, write
from tests.support import environment, fake_s3
from tests.support.certificates import Authority
from tests.support.fake_s3 import BUCKET, FakeS3
from tests.support.server import FUIN, run

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
Bucket = Callable[..., FakeS3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give an authority of this test."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def bucket(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Give a function that starts a bucket, with a certificate for a name and a number of days."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(client, "_PAUSES", (0.01, 0.02, 0.04))
    with ExitStack() as stack:

        def start(name: str = "localhost", days: int = 30) -> FakeS3:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority.certificate(name, days))
            return stack.enter_context(fake_s3.running(context))

        yield start


def _store(bucket: FakeS3, authority: Path | None, endpoint: str = "") -> S3Blobs:
    return S3Blobs(parse_address(f"s3://{BUCKET}/p"), endpoint=endpoint or bucket.url, authority=authority)


def test_certificate_of_the_authority_is_good(bucket: Bucket, authority: Authority) -> None:
    """Blobs in one piece and in parts go there and come back."""
    store = _store(bucket(), authority.path)

    async def check() -> None:
        for body in (b"small", bytes(20 * MIB)):
            assert await read(store, await write(store, body), (0, len(body))) == [body]

    asyncio.run(check())


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")  # which would hide what is not refused
@pytest.mark.parametrize("fault", ["no authority", "another authority", "another name", "ended", "no TLS"])
def test_another_certificate_is_refused(fault: str, bucket: Bucket, authority: Authority, tmp_path: Path) -> None:
    """Nothing is sent to who cannot prove to be that S3."""
    serving = bucket("elsewhere" if fault == "another name" else "localhost", -1 if fault == "ended" else 30)
    trusted = {"no authority": None, "another authority": Authority(tmp_path / "another").path}
    endpoint = serving.url.replace("https:", "http:") if fault == "no TLS" else ""
    store = _store(serving, trusted.get(fault, authority.path), endpoint)
    with pytest.raises(StoreUnavailable):
        asyncio.run(write(store, b"secret"))
    assert serving.seen == []
    assert serving.objects == {}


@pytest.mark.parametrize("fault", ["no authority", "another authority", "another name"])
def test_server_says_that_the_certificate_is_not_trusted(fault: str, bucket: Bucket, tmp_path: Path) -> None:
    """It does not start, and its last line has the reason and the option."""
    place = ["--data", str(tmp_path / "data"), "--port", "0"]
    serving = bucket("elsewhere" if fault == "another name" else "localhost")
    options = ["--blobs", f"s3://{BUCKET}", "--blobs-endpoint", serving.url]
    if fault != "no authority":
        folder = "another" if fault == "another authority" else "authority"
        options += ["--blobs-ca", str(tmp_path / folder / "ca.pem")]
        if fault == "another authority":
            Authority(tmp_path / folder)
    done = run([str(FUIN), "serve", *place, *options], environment.clean(tmp_path, **KEYS), check=False)
    assert done.returncode != 0
    assert "does not prove by its certificate who it is; --blobs-ca names the authority to trust" in done.stderr
