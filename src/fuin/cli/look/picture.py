"""A message of envelope encryption as a picture of text: header, data keys, frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.cli.terminal_escape import escape
from fuin.cli.wire.show import size_text
from fuin.errors import FuinError
from fuin.formats.message import FINAL_OVERHEAD, FRAME_OVERHEAD, final_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fuin.formats.message import Header

    Read = Callable[[int, int], bytes]

_WIDTH = 76


def draw(name: str, header: Header, size: int, read: Read) -> Iterator[str]:
    """Yield the lines of the picture of a message of so many bytes; raises FuinError if they are no whole message.

    `read` returns some bytes of the message from a place on.
    """
    yield escape(f"{name}: {size:,} bytes, an AWS Encryption SDK message")
    yield _rule("┌", "header", header.length)
    yield _line("format", "version 2, AES-256-GCM with key commitment")
    yield _line("message id", header.message_id.hex())
    pairs = sorted(header.context.items()) or [("", "(none)")]
    for index, (key, value) in enumerate(pairs):
        yield _line("context" if not index else "", f"{key}={value}" if key else value)
    for entry in header.encrypted_data_keys:
        yield _line("data key", f"{len(entry.ciphertext)} bytes, which this key can decrypt:")
        yield _line("", f"{entry.info.decode('utf-8', 'replace')} ({entry.provider})")
    yield _line("commitment", header.commitment.hex())
    yield _line("tag", header.tag.hex())
    yield from _frames(header, size - header.length, read)


def _frames(header: Header, body: int, read: Read) -> Iterator[str]:
    stored = header.frame_length + FRAME_OVERHEAD
    whole, last = divmod(body - FINAL_OVERHEAD, stored)
    head = final_head(whole + 1, last) if body >= FINAL_OVERHEAD else b""
    if last > header.frame_length or not head or read(header.length + whole * stored, len(head)) != head:
        yield _rule("└", "frames, of which the last is not whole", max(body, 0))
        raise FuinError("the message was cut off, or changed: it does not end with a final frame")
    if whole:
        frames = "frame 1" if whole == 1 else f"frames 1 to {whole:,}"
        yield _rule("├", f"{frames}, each {header.frame_length:,} bytes of plaintext", whole * stored)
    yield _rule("├", f"final frame {whole + 1:,}, {last:,} bytes of plaintext", last + FINAL_OVERHEAD)
    plaintext = size_text(whole * header.frame_length + last)
    yield f"└─ plaintext: {plaintext}; only decryption verifies any of this"


def _rule(corner: str, title: str, size: int) -> str:
    start, end = f"{corner}─ {title} ", f" {size:,} bytes"
    return f"{start}{'─' * max(2, _WIDTH - len(start) - len(end))}{end}"


def _line(name: str, text: str) -> str:
    return f"│  {name:<11} {escape(text)}"
