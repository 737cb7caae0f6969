"""The process with the keys; other rooms use `client` and nothing else of it."""
