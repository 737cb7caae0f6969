"""The client library of envelope encryption: messages and files; it imports nothing from the server."""
