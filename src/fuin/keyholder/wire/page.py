"""The table of requests in docs/formats/keyholder-frames.md, made from the rows that the code uses.

`python -m fuin.keyholder.wire.page docs/formats/keyholder-frames.md` writes it; a test holds the file and this equal.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fuin.formats import record
from fuin.keyholder.wire.codecs import Field
from fuin.keyholder.wire.requests import REQUESTS, RequestType

_HEAD = """\
| opcode | request | fields | fields of the answer | recorded use | where it is done if it takes long |
|---|---|---|---|---|---|
"""


def table() -> str:
    """Return the table as Markdown."""
    return _HEAD + "".join(f"| {' | '.join(_cells(request))} |\n" for request in REQUESTS)


def with_table(page: str) -> str:
    """Return the page's text with the table in the place of the one that it has."""
    before, _, rest = page.partition("| opcode |")
    after = rest[rest.index("\n\n") + 1 :]
    return before + table() + after


def _cells(request: RequestType) -> Iterator[str]:
    yield str(request.code)
    yield request.name
    yield _field_list(request.fields)
    yield _field_list(request.answer)
    yield ", then ".join(record.USES[use] for use in request.uses)
    yield request.pace.value


def _field_list(fields: Sequence[Field]) -> str:
    needed = ", ".join(_field_text(field) for field in fields if not field.optional)
    optional = ", ".join(_field_text(field) for field in fields if field.optional)
    return f"{needed}; or also {optional}" if optional else needed


def _field_text(field: Field) -> str:
    name = f"[{field.name}]({field.page})" if field.page else field.name
    return field.codec.notation + name


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
