"""What others wrote, on its way to a terminal: names of buckets and objects are chosen by whoever sends a request."""


def escape(text: str) -> str:
    """Return text with every character escaped that a terminal could take for a command, or that would hide others."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape_character(c) for c in text)


def _escape_character(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
