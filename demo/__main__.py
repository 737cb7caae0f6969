"""Play the envelope flow with the real aws command line, and show what happened behind each step."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

from demo.stage import Person, Stage, Unexpected, open_stage, say, scene
from fuin.formats.message import parse_header

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
BUCKET = "letters"


def main() -> None:
    """Play all scenes; a step with another outcome than announced ends the demo with an error."""
    started = time.monotonic()
    with open_stage() as stage:
        key_arn = make_key(stage)
        make_bucket(stage, key_arn)
        writer = show_writing(stage, key_arn)
        show_blob(stage, key_arn)
        large = show_parts(stage, writer, key_arn)
        reader = show_reading(stage, writer, key_arn, large)
        show_revocation(stage, reader, key_arn)
        show_explanation(stage)
    print(f"\nEverything was as announced. {time.monotonic() - started:.0f} s, and nothing is left behind.")


def make_key(stage: Stage) -> str:
    """Scene 1: a KMS key and a data key."""
    scene("1  A KMS key, and a data key made under it")
    made = json.loads(stage.aws(stage.root, "kms", "create-key", "--description", "demo", show=True))
    key_id, key_arn = made["KeyMetadata"]["KeyId"], str(made["KeyMetadata"]["Arn"])
    stage.aws(stage.root, "kms", "create-alias", "--alias-name", "alias/demo", "--target-key-id", key_id)
    pair = json.loads(
        stage.aws(stage.root, "kms", "generate-data-key", "--key-id", "alias/demo", "--key-spec", "AES_256")
    )
    sealed = base64.b64decode(pair["CiphertextBlob"])
    say(f"a data key comes in two forms: 32 bytes in the clear, and {len(sealed)} bytes that only this KMS key opens")
    say("the KMS key itself never leaves the keyholder process")
    return key_arn


def make_bucket(stage: Stage, key_arn: str) -> None:
    """Scene 2: a bucket whose default encryption names the key."""
    scene("2  A bucket that encrypts with that key")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}}
    stage.aws(stage.root, "s3api", "create-bucket", "--bucket", BUCKET)
    stage.aws(
        stage.root, "s3api", "put-bucket-encryption", "--bucket", BUCKET,
        "--server-side-encryption-configuration", json.dumps({"Rules": [rule]}),
    )  # fmt: skip


def show_writing(stage: Stage, key_arn: str) -> Person:
    """Scene 3: who may write, and who may not."""
    scene("3  Writing needs kms:GenerateDataKey, and not kms:Encrypt")
    put = {"Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    make_file(stage.folder / "letter.bin", 3 * MIB)
    writer = stage.user("writer", put, {"Action": ["kms:GenerateDataKey"], "Resource": key_arn})
    stage.aws(writer, "s3", "cp", "letter.bin", f"s3://{BUCKET}/letter.bin", "--no-progress")
    mistaken = stage.user("mistaken", put, {"Action": ["kms:Encrypt"], "Resource": key_arn})
    refusal = stage.aws(mistaken, "s3", "cp", "letter.bin", f"s3://{BUCKET}/other.bin", "--no-progress", fails=True)
    expect("kms:GenerateDataKey" in refusal and key_arn in refusal, "the refusal names the missing right and the key")
    return writer


def show_blob(stage: Stage, key_arn: str) -> None:
    """Scene 4: what is on the disk."""
    scene("4  The disk holds ciphertext, with the encrypted data key in its header")
    stored = next(path for path in sorted((stage.data / "blobs").rglob("*")) if path.is_file())
    raw, plain = stored.read_bytes(), (stage.folder / "letter.bin").read_bytes()
    header = parse_header(raw)
    say(f"{stored.relative_to(stage.folder)}: {len(raw):,} bytes, beginning {raw[:16].hex(' ')} …")
    say(f"an AWS Encryption SDK message: suite 0478, encryption context {dict(header.context)}")
    for edk in header.encrypted_data_keys:
        say(f"its data key, encrypted by {edk.info.decode()}: {len(edk.ciphertext)} bytes")
    expect(all(plain[at : at + 64] not in raw for at in range(0, len(plain), 64 * 1024)), "no plaintext in it")
    say("the official AWS Encryption SDK opens that raw file, through Fuin's KMS:")
    opened_by_sdk = stage.python(stage.root, "open_with_sdk.py", str(stored), key_arn)
    expect(hashlib.sha256(plain).hexdigest() in opened_by_sdk, "it is the letter, byte for byte")


def show_parts(stage: Stage, writer: Person, key_arn: str) -> Path:
    """Scene 5a: a multipart upload needs kms:Decrypt as well."""
    scene("5  A larger file goes up in parts, and that needs kms:Decrypt as well")
    large = stage.folder / "parcel.bin"
    make_file(large, 1024 * MIB if os.environ.get("DEMO_LARGE") == "1" else 20 * MIB)
    say(f"parcel.bin: {large.stat().st_size // MIB} MiB")
    upload = ("s3", "cp", "parcel.bin", f"s3://{BUCKET}/parcel.bin", "--no-progress")
    refusal = stage.aws(writer, *upload, fails=True)
    expect("kms:Decrypt" in refusal, "the parts come later than the data key, so each part has to open it again")
    stage.policy(
        "writer",
        {"Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
        {"Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": key_arn},
    )
    stage.aws(writer, *upload)
    return large


def show_reading(stage: Stage, writer: Person, key_arn: str, large: Path) -> Person:
    """Scene 5b: who may read."""
    get = {"Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    reader = stage.user("reader", get, {"Action": ["kms:Decrypt"], "Resource": key_arn})
    stage.aws(reader, "s3", "cp", f"s3://{BUCKET}/parcel.bin", "back.bin", "--no-progress")
    expect(digest(stage.folder / "back.bin") == digest(large), "what came back equals what went up")
    stage.policy(
        writer.name,
        {"Action": ["s3:PutObject", "s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
        {"Action": ["kms:GenerateDataKey"], "Resource": key_arn},
    )
    say("the writer, who may even s3:GetObject but no longer kms:Decrypt, cannot read:")
    refusal = stage.aws(writer, "s3", "cp", f"s3://{BUCKET}/letter.bin", "no.bin", "--no-progress", fails=True)
    expect("kms:Decrypt" in refusal, "the caller's own right to the key decides")
    return reader


def show_revocation(stage: Stage, reader: Person, key_arn: str) -> None:
    """Scene 6: a disabled key stops reading at once."""
    scene("6  Disable the key, and nobody can read")
    download = ("s3api", "get-object", "--bucket", BUCKET, "--key", "letter.bin", "again.bin")
    stage.aws(stage.root, "kms", "disable-key", "--key-id", key_arn)
    expect("disabled" in stage.aws(reader, *download, fails=True), "refused at once")
    stage.aws(stage.root, "kms", "enable-key", "--key-id", key_arn)
    stage.aws(reader, *download)


def show_explanation(stage: Stage) -> None:
    """Scene 7: explain what happened from the log, and verify the log."""
    scene("7  What happened during the upload, from the log")
    found = stage.fuin("audit", "show", "--operation", "s3:PutObject", "--json")
    request = json.loads(found.splitlines()[0])["request"]
    stage.fuin("explain", request)
    stage.fuin("audit", "verify")


def make_file(path: Path, size: int) -> None:
    """Write a file of random bytes, a MiB at a time."""
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expect(holds: bool, sentence: str) -> None:
    """Print the sentence if it is true; end the demo if it is not."""
    if not holds:
        raise Unexpected(f"this was not so: {sentence}")
    say(sentence)


if __name__ == "__main__":
    main()
