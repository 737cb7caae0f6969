"""The way to a key: what an identifier names, whether the caller may, and whether its state allows the use."""
