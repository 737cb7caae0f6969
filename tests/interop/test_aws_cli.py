"""The `aws` command line, unchanged."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.place import EncryptedBucket, write
from tests.support.server import AWS, TRUST, Server, run

pytestmark = pytest.mark.real
MIB = 1024 * 1024


def _json(place: EncryptedBucket, *arguments: str) -> Any:
    return json.loads(place.server.aws(*arguments, "--output", "json").stdout)


def test_small_file_goes_up_and_comes_down(place: EncryptedBucket, tmp_path: Path) -> None:
    """`aws s3 cp` up, `ls`, down and `rm`; what is stored is ciphertext."""
    content = write(tmp_path / "letter.txt", 10_000)
    url = f"s3://{place.bucket}/post/letter.txt"
    place.server.aws("s3", "cp", str(tmp_path / "letter.txt"), url)
    place.assert_sealed("post/letter.txt", content, parts=1)
    assert "10000 letter.txt" in place.server.aws("s3", "ls", f"s3://{place.bucket}/post/").stdout
    place.server.aws("s3", "cp", url, str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_bytes() == content
    place.server.aws("s3", "rm", url)
    assert place.server.aws("s3", "ls", f"s3://{place.bucket}/post/", check=False).stdout == ""
    assert place.stored("post/letter.txt") == []


def test_large_file_goes_in_parts(place: EncryptedBucket, tmp_path: Path) -> None:
    """20 MiB go up in parts of 8 MiB, come down in parallel ranges, and are stored as one message a part."""
    content = write(tmp_path / "large.bin", 20 * MIB)
    url = f"s3://{place.bucket}/large.bin"
    place.server.aws("s3", "cp", str(tmp_path / "large.bin"), url, "--no-progress")
    place.assert_sealed("large.bin", content, parts=3)
    place.server.aws("s3", "cp", url, str(tmp_path / "back.bin"), "--no-progress")
    assert (tmp_path / "back.bin").read_bytes() == content
    head = _json(place, "s3api", "head-object", "--bucket", place.bucket, "--key", "large.bin")
    assert head["ServerSideEncryption"] == "aws:kms"
    assert head["SSEKMSKeyId"] == place.key_arn
    assert head["ETag"].endswith('-3"')


def test_folder_is_synchronised(place: EncryptedBucket, tmp_path: Path) -> None:
    """`aws s3 sync` sends what is new, then nothing, then removes what is gone."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    names = ["a.txt", "sub/b.txt", "sub/name with ümlaut & plus+.txt"]
    contents = {name: write(folder / name, 1000) for name in names}
    first = place.server.aws("s3", "sync", str(folder), f"s3://{place.bucket}/f").stdout
    assert first.count("upload:") == 3
    for name, content in contents.items():
        place.assert_sealed(f"f/{name}", content)
    assert place.server.aws("s3", "sync", str(folder), f"s3://{place.bucket}/f").stdout == ""
    place.server.aws("s3", "sync", f"s3://{place.bucket}/f", str(tmp_path / "back"))
    assert {name: (tmp_path / "back" / name).read_bytes() for name in names} == contents
    (folder / "a.txt").unlink()
    assert "delete:" in place.server.aws("s3", "sync", str(folder), f"s3://{place.bucket}/f", "--delete").stdout
    listing = place.server.aws("s3", "ls", "--recursive", f"s3://{place.bucket}/").stdout
    assert sorted(line.split(maxsplit=3)[3] for line in listing.splitlines()) == [f"f/{name}" for name in names[1:]]


def test_keys_are_used_from_the_command_line(place: EncryptedBucket, tmp_path: Path) -> None:
    """Data keys, Encrypt, Decrypt and ReEncrypt with `fileb://` blobs and an encryption context."""
    context = ("--encryption-context", "purpose=test,owner=alice")
    made = _json(
        place, "kms", "generate-data-key", "--key-id", place.alias, "--key-spec", "AES_256", *context
    )  # fmt: skip
    assert made["KeyId"] == place.key_arn
    assert len(base64.b64decode(made["Plaintext"])) == 32
    sealed = tmp_path / "sealed"
    sealed.write_bytes(base64.b64decode(made["CiphertextBlob"]))
    opened = _json(place, "kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", *context)
    assert opened["Plaintext"] == made["Plaintext"]
    other = _json(place, "kms", "create-key")["KeyMetadata"]["Arn"]
    again = _json(
        place, "kms", "re-encrypt", "--ciphertext-blob", f"fileb://{sealed}", "--destination-key-id", other,
        "--source-encryption-context", context[1], "--destination-encryption-context", "purpose=other",
    )  # fmt: skip
    assert (again["SourceKeyId"], again["KeyId"]) == (place.key_arn, other)
    sealed.write_bytes(base64.b64decode(again["CiphertextBlob"]))
    opened = _json(
        place, "kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", "--encryption-context", "purpose=other"
    )  # fmt: skip
    assert opened["Plaintext"] == made["Plaintext"]
    refused = place.server.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", check=False)
    assert refused.returncode != 0
    assert "InvalidCiphertextException" in refused.stderr


def test_keys_are_administered_from_the_command_line(place: EncryptedBucket) -> None:
    """Describe, list, tag, disable and schedule for deletion, each as AWS's own command prints it.

    The bucket's default still needs the key, so its deletion is refused until a tag allows it.
    """
    server = place.server
    assert _json(place, "kms", "describe-key", "--key-id", place.alias)["KeyMetadata"]["Arn"] == place.key_arn
    keys = {key["KeyArn"] for key in _json(place, "kms", "list-keys")["Keys"]}
    assert place.key_arn in keys
    aliases = {alias["AliasName"] for alias in _json(place, "kms", "list-aliases")["Aliases"]}
    assert place.alias in aliases
    server.aws("kms", "tag-resource", "--key-id", place.key_arn, "--tags", "TagKey=team,TagValue=red")
    assert _json(place, "kms", "list-resource-tags", "--key-id", place.key_arn)["Tags"][0]["TagValue"] == "red"
    server.aws("kms", "disable-key", "--key-id", place.key_arn)
    refused = server.aws(
        "kms", "generate-data-key", "--key-id", place.alias, "--key-spec", "AES_256", check=False
    )  # fmt: skip
    assert "DisabledException" in refused.stderr
    server.aws("kms", "enable-key", "--key-id", place.key_arn)
    deletion = ("kms", "schedule-key-deletion", "--key-id", place.key_arn, "--pending-window-in-days", "7")
    refused = server.aws(*deletion, check=False)
    assert "(ConflictException)" in refused.stderr
    assert "buckets with it as their default: 1" in refused.stderr
    allowed = "TagKey=fuin:allow-deletion-with-dependents,TagValue=true"
    server.aws("kms", "tag-resource", "--key-id", place.key_arn, "--tags", allowed)
    gone = _json(place, *deletion)
    assert gone["KeyState"] == "PendingDeletion"


def test_presigned_url_opens_without_credentials(place: EncryptedBucket, tmp_path: Path) -> None:
    """`aws s3 presign` makes a URL that works in a client that knows nothing of AWS.

    The command still signs by Signature V2 in us-east-1 unless it is configured; AWS refuses that under SSE-KMS too.
    """
    (place.server.home / "aws-config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    content = write(tmp_path / "shared.txt", 5000)
    place.server.aws("s3", "cp", str(tmp_path / "shared.txt"), f"s3://{place.bucket}/shared.txt")
    url = place.server.aws("s3", "presign", f"s3://{place.bucket}/shared.txt", "--expires-in", "60").stdout.strip()
    fetch = "import ssl, sys, urllib.request as u; c = ssl.create_default_context(cafile=sys.argv[2] or None)\n"
    fetch += "sys.stdout.buffer.write(u.urlopen(sys.argv[1], context=c if sys.argv[2] else None).read())"
    python = str(AWS.parent / "python")
    done = run([python, "-c", fetch, url, str(place.server.certificate or "")], {"PATH": "/usr/bin:/bin"})
    assert done.stdout.encode() == content


def test_unknown_certificate_is_refused(tls_server: Server) -> None:
    """Over TLS the client refuses the self-signed certificate unless it is told to trust it: TLS is really used."""
    variables = tls_server.client_environment() | {"AWS_MAX_ATTEMPTS": "1"}
    assert run([str(AWS), "s3", "ls"], variables).returncode == 0
    for name in TRUST:
        del variables[name]
    refused = run([str(AWS), "s3", "ls"], variables, check=False)
    assert refused.returncode != 0
    assert "SSL" in refused.stderr
