"""The file of a form as the content of a body: it ends where the form says, and its size is known only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.request.multipart_form import FileParser

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fuin.gate.http import Request
    from fuin.s3.request.form import Form


class FormFile:
    """The content of a form's file: `piece` gives the body as it arrives, `decode` and `end` read it."""

    def __init__(self, request: Request, form: Form) -> None:
        self._request = request
        self._form = form
        self._parser = FileParser(form.delimiter)
        self._size = 0
        self._has_begun = False

    async def piece(self) -> tuple[bytes, bool]:
        """Return the next piece of the body and whether more may follow: first what came with the fields."""
        if self._has_begun:
            return await self._request.piece()
        self._has_begun = True
        begun, self._form.rest = self._form.rest, b""
        return begun, self._form.has_more

    def decode(self, pieces: Sequence[bytes]) -> Iterator[memoryview]:
        """Yield the file's content; raises EntityTooLarge as soon as it is longer than the policy allows."""
        for piece in pieces:
            for content in self._parser.feed(piece):
                self._size += len(content)
                self._form.sizes.check_most(self._size, max(self._size, self._form.file_length))
                yield content

    def end(self, received: int) -> dict[str, str]:
        """Return no trailers; raises EntityTooSmall, and MalformedPOSTRequest unless the form is whole."""
        self._parser.finish()
        self._form.sizes.check_least(received)
        return {}
