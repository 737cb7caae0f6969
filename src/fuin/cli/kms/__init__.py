"""KMS keys and aliases from the command line, over the wire."""
