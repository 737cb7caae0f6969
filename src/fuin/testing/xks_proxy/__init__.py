"""An external key store proxy with its key manager, for tests and for trying out external key stores.

Written from the "AWS KMS External Key Store Proxy API" specification, version 1.0.3 (github.com/aws/
aws-kms-xksproxy-api-spec). It shares no code with Fuin: here stands the other side of the wire.
"""
