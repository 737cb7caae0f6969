"""One request, from bytes to its audit record."""
