"""The documents' links lead somewhere: files exist, and so do the headings that anchors name."""

import re
from pathlib import Path

from tests.house.source import REPOSITORY, committed

_LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_IMAGE = re.compile(r"<img[^>]*\bsrc=\"([^\"]+)\"")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")


def slug(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings."""
    headings = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", _FENCE.sub("", text), re.MULTILINE)
    return {slug(heading) for heading in headings}


def broken(path: Path, text: str) -> list[str]:
    """Return the internal links of a document that lead nowhere."""
    found = []
    prose = _CODE.sub("", _FENCE.sub("", text))
    for target in _LINK.findall(prose) + _IMAGE.findall(prose):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue  # another site
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if name and not file.exists():
            found.append(f"{path.name}: {target} does not exist")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text() if name else text):
            found.append(f"{path.name}: {target} names no heading")
    return found


def test_links_of_documents_resolve() -> None:
    """Every internal link of every committed Markdown file leads to a file and a heading."""
    documents = [path for path in committed() if path.suffix == ".md"]
    found = [line for path in documents for line in broken(path, path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


def test_index_names_every_document() -> None:
    """docs/README.md leads to every page below docs/."""
    folder = REPOSITORY / "docs"
    index = (folder / "README.md").read_text(encoding="utf-8")
    named = {(folder / target.partition("#")[0]).resolve() for target in _LINK.findall(index)}
    pages = {path for path in committed() if path.suffix == ".md" and folder in path.parents}
    missing = [str(path.relative_to(folder)) for path in sorted(pages - named - {folder / "README.md"})]
    assert not missing, f"docs/README.md does not name {missing}"


def test_broken_links_are_found() -> None:
    """The check itself sees a missing file, a missing heading and a missing picture."""
    path = REPOSITORY / "sample.md"
    assert broken(path, "see [this](docs/no-such-page.md)")
    assert broken(path, "# One\n\nsee [this](#two)")
    assert broken(path, 'see ![picture](docs/none.svg) and <img src="docs/none.svg">')
    assert broken(path, "see [this](Makefile/../none)")


def test_good_links_are_not_found() -> None:
    """Headings, files and other sites resolve, and code is not read as links."""
    path = REPOSITORY / "sample.md"
    good = "# One thing, `two`\n\n[a](#one-thing-two) [b](Makefile) [c](https://example.com/x) `[d](none)`\n"
    assert broken(path, good + "```\n[e](none)\n```\n") == []
