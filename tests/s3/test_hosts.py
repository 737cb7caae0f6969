"""Virtual hosting: below our own domains the bucket stands in the host, on every other host in the path."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fuin.errors import FuinError
from fuin.s3.request.hosts import bucket_in_host
from fuin.server.config import WorkerConfig, decode, encode
from fuin.server.domains import read_domains
from fuin.settings import Settings
from tests.support.place import Place, Reply

DOMAINS = ("fuin.example.com", "example.com", "s3.fuin.example.com")


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("photos.fuin.example.com", "photos"),
        ("photos.fuin.example.com:8700", "photos"),
        ("PHOTOS.Fuin.Example.COM", "photos"),
        ("photos.fuin.example.com.", "photos"),
        ("a.b.fuin.example.com", "a.b"),
        ("fuin.example.com", None),
        ("fuin.example.com:8700", None),
        ("s3.fuin.example.com", None),
        ("photos.s3.fuin.example.com", "photos"),
        ("notfuin.example.com", "notfuin"),
        ("photos.fuin.example.org", None),
        ("photosfuin.example.com.evil", None),
        ("example.com", None),
        ("badexample.com", None),
        (".example.com", ""),
        ("photos.localhost", "photos"),
        ("PHOTOS.LOCALHOST:80", "photos"),
        ("localhost", None),
        ("127.0.0.1:8700", None),
        ("[::1]:8700", None),
        ("", None),
    ],
)
def test_the_bucket_in_a_host(host: str, bucket: str | None) -> None:
    """Whole labels count, capitals and the root's dot do not, and the longest domain wins."""
    assert bucket_in_host(host, DOMAINS) == bucket


@pytest.mark.parametrize(
    "host", ["photos.s3.us-east-1.amazonaws.com", "fuin.s3.svc.cluster.local", "s3.corp", "photos.fuin.example.com"]
)
def test_without_a_domain_nothing_is_guessed(host: str) -> None:
    """No host but localhost's is virtual unless its domain was set, also where it looks like one of AWS's."""
    assert bucket_in_host(host, ()) is None
    assert bucket_in_host("photos.localhost", ()) == "photos"


def ask(
    place: Place, method: str, host: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Send a request to a host; without `headers` it has no signature."""
    with place.connection() as connection:
        connection.putrequest(method, target, skip_host=True)
        for name, value in ({"Host": host} | dict(headers or {})).items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def opened(place: Place, stem: str) -> str:
    """Return a new bucket that everybody may use."""
    bucket = place.bucket(stem)
    everything = {"Effect": "Allow", "Principal": "*", "Action": "s3:*Object"}
    place.put_policy(bucket, everything | {"Resource": f"arn:aws:s3:::{bucket}/*"})
    return bucket


def test_requests_go_to_the_bucket_that_was_meant(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that starts like another bucket's name stays a key below a domain of ours, and is none on other hosts."""
    photos, victim = opened(place, "photos"), opened(place, "victim")
    settings = dataclasses.replace(place.services.settings, s3_domains=("fuin.example.com",))
    monkeypatch.setattr(place.services, "settings", settings)
    for host in (f"{photos}.fuin.example.com", f"{photos.upper()}.LOCALHOST"):
        assert ask(place, "PUT", host, f"/{victim}/f", b"x").status == 200
        assert ask(place, "GET", host, f"/{victim}/f").body == b"x"
        assert ask(place, "DELETE", host, f"/{victim}/f").status == 204
    place.s3().put_object(Bucket=victim, Key="f", Body=b"kept")
    assert ask(place, "DELETE", f"{photos}.fuin.example.com", f"/{victim}/f").status == 204
    assert place.s3().get_object(Bucket=victim, Key="f")["Body"].read() == b"kept"
    for host in ("fuin.s3.svc.cluster.local", "fuin.example.com:8700", "127.0.0.1"):
        assert ask(place, "GET", host, f"/{victim}/f").body == b"kept"
    for target in (f"/{victim}/f", "/"):
        reply = ask(place, "GET", ".fuin.example.com", target)
        assert (reply.status, reply.code) == (400, "InvalidBucketName")


def test_a_completed_upload_is_where_its_answer_says(place: Place, bucket: str) -> None:
    """Location has the bucket in the host or in the path, as the request had it."""
    s3 = place.s3(checksums=False)
    for host, path in ((f"{bucket}.localhost", "/a%20b"), ("localhost", f"/{bucket}/a%20b")):
        upload = s3.create_multipart_upload(Bucket=bucket, Key="a b")["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="a b", UploadId=upload, PartNumber=1, Body=b"x")
        body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part['ETag']}</ETag></Part>"
        body += "</CompleteMultipartUpload>"
        target = f"{path}?uploadId={upload}"
        headers = place.signed("POST", target, {"Host": host}, body.encode())
        reply = ask(place, "POST", host, target, body.encode(), headers)
        assert reply.status == 200, reply.body
        assert ElementTree.fromstring(reply.body)[0].text == f"http://{host}{path}"


def test_domains_reach_the_workers() -> None:
    """What `fuin serve --s3-domain` was told stands in a worker's settings."""
    settings = Settings(data=Path("/x"), s3_domains=read_domains(["Fuin.Example.com.", "corp", "corp"]))
    config = WorkerConfig(settings, 3, 4, 5, True)
    assert decode(encode(config), WorkerConfig).settings.s3_domains == ("fuin.example.com", "corp")


@pytest.mark.parametrize(
    "text",
    ["", ".", "*.example.com", ".example.com", "a..b", "10.0.0.1", "::1", "a:80", "a b", "http://a", "ä.de", "-a"],
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    """Wildcards, addresses, ports and URLs are no domains."""
    with pytest.raises(FuinError, match="--s3-domain"):
        read_domains([text])
