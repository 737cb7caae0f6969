"""What others wrote, on its way to a terminal: names of buckets and objects are chosen by whoever sends a request."""


def plain(text: str) -> str:
    """Return text with every character escaped that a terminal could take for a command, or that would hide others."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
