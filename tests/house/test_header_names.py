"""Names of headers in answers are constants that are spelled as AWS spells them, so that no answer pays for it."""

import ast

from tests.house.source import Module, modules

ANSWERING = {"cors", "identity", "kms", "s3", "server"}
SPELLED = {
    name.lower(): name
    for name in (
        b"Accept-Ranges", b"Allow", b"Cache-Control", b"Connection", b"Content-Disposition", b"Content-Encoding",
        b"Content-Language", b"Content-Length", b"Content-Range", b"Content-Type", b"Date", b"ETag", b"Expires",
        b"Last-Modified", b"Location", b"Retry-After", b"Server", b"Vary", b"x-amzn-ErrorType", b"x-amzn-RequestId",
    )
}  # fmt: skip


def misspelled(module: Module) -> list[str]:
    """Return the headers that a module gives an answer, pairs of a name and a value, under other names than AWS's."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Constant):
            name = node.elts[0].value
            if isinstance(name, bytes) and not _is_right(name):
                found.append(f"{module.name}:{node.lineno} {name!r}")
    return found


def _is_right(name: bytes) -> bool:
    if name.lower().startswith(b"access-control-"):
        return name == name.title()
    if name.lower().startswith(b"x-amz-"):
        return name == name.lower()
    return SPELLED.get(name.lower(), name) == name


def test_headers_of_answers() -> None:
    """No pair of a header's name and its value has another spelling."""
    found = [line for module in modules() if module.room in ANSWERING for line in misspelled(module)]
    assert not found, "\n".join(found)


def test_others_are_found() -> None:
    """The test sees what it looks for."""
    pairs = '(b"etag", x), (b"ETag", x), (b"x-amzn-requestid", x), (b"X-Amz-Id-2", x), (b"x-amz-id-2", x), (b"own", x)'
    found = misspelled(Module("s3.sample", f"sample = [{pairs}]\n"))
    assert [line.rpartition(" ")[2] for line in found] == ["b'etag'", "b'x-amzn-requestid'", "b'X-Amz-Id-2'"]
