"""Escaping of untrusted text for the terminal: anyone who sends a request chooses names of buckets and objects."""


def escape(text: str) -> str:
    """Return the text with each character escaped that a terminal could take for a command, or that hides others."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape_character(c) for c in text)


def _escape_character(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
