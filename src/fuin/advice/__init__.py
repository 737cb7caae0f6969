"""Advice about rights: who can use a resource, why a request was refused, which change would help, and simulations.

No request to KMS or S3 waits for it. The decisions come from the same resources as in the gate; policies and principals
have the names that people know.
"""
