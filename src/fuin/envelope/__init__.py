"""The client library of envelope encryption: messages and files; imports nothing of the servers."""
