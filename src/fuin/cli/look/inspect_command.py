"""`fuin inspect`: the envelope of a file, or of an object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.files.address import Address, is_address, parse_object
from fuin.cli.files.download import look
from fuin.cli.look.picture import draw
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, client_command
from fuin.cli.wire.show import print_json, print_values, time_text
from fuin.errors import FormatError, FuinError
from fuin.formats.message import HEADER_LIMIT, VERSION, parse_header

if TYPE_CHECKING:
    from fuin.cli.look.picture import Read
    from fuin.formats.message import Header

_START = bytes((VERSION, 0x04, 0x78))  # version and suite
File = Annotated[str, typer.Argument(metavar="FILE", help="A file that was encrypted, or s3://BUCKET/KEY.")]
_SHOWN = {
    "size": "ContentLength", "modified": "LastModified", "type": "ContentType", "version": "VersionId",
    "encryption": "ServerSideEncryption", "key": "SSEKMSKeyId", "bucket key": "BucketKeyEnabled", "etag": "ETag",
}  # fmt: skip


@client_command("s3")
def inspect_file(client: Client, file: File, json_output: JsonOutput = False) -> None:
    """Show the envelope of an encrypted file: its keys, context and frames. No key is needed or used.

    Of an object it shows under which key S3 has encrypted it; if the object is an encrypted file, its envelope too.

    **Examples**

    * `fuin inspect report.pdf.fuin`
    * `fuin inspect s3://reports/2026/report.pdf`
    """
    if is_address(file):
        _inspect_object(client, parse_object(file), json_output)
        return
    path = Path(file)
    with path.open("rb") as source:
        start = source.read(HEADER_LIMIT)
    size = path.stat().st_size
    try:
        header = parse_header(start)
    except FormatError as error:
        raise FuinError(f"{file} is not an encrypted file that Fuin can read: {error}") from error
    _print(file, header, size, lambda place, count: _read_file(path, place, count), json_output)


def _inspect_object(client: Client, address: Address, json_output: bool) -> None:
    seen = look(client, address)
    values = {name: seen.answer.get(member) for name, member in _SHOWN.items()}
    values["modified"] = time_text(values["modified"])
    shown = {name: value for name, value in values.items() if value not in {None, ""}}

    def read(place: int, count: int) -> bytes:
        extent = f"bytes={place}-{min(place + count, seen.size) - 1}"
        answer = client.ask(
            "get_object", str(address), Bucket=address.bucket, Key=address.key, Range=extent, IfMatch=seen.etag
        )
        return bytes(answer["Body"].read())

    envelope = _read_envelope(read, seen.size)
    if json_output:
        print_json(shown | ({} if envelope is None else {"envelope": _values(envelope, seen.size)}))
        return
    print_values({"object": str(address), **shown})
    if envelope is not None:
        _print("its content", envelope, seen.size, read, json_output)


def _read_file(path: Path, place: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(count)


def _read_envelope(read: Read, size: int) -> Header | None:
    """Return the header of the message that an object is, or None if it is not one or may not be read."""
    if size < len(_START):
        return None
    try:
        start = read(0, HEADER_LIMIT)
        return parse_header(start) if start.startswith(_START) else None
    except FuinError:  # not a message, or the caller may only see that there is an object
        return None


def _print(name: str, header: Header, size: int, read: Read, json_output: bool) -> None:
    if json_output:
        print_json(_values(header, size))
    else:
        for line in draw(name, header, size, read):
            typer.echo(line)


def _values(header: Header, size: int) -> dict[str, Any]:
    return {
        "bytes": size,
        "headerBytes": header.length,
        "messageId": header.message_id.hex(),
        "context": header.context,
        "keys": [
            {"provider": entry.provider, "key": entry.info.decode("utf-8", "replace"), "bytes": len(entry.ciphertext)}
            for entry in header.encrypted_data_keys
        ],
        "frameLength": header.frame_length,
    }
