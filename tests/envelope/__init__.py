"""Tests of the client library: sealing, opening, KMS, files and the two commands."""
