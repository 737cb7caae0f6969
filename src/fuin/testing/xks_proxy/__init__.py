"""An external key store proxy with its key manager, for tests and for trials of external key stores.

Written from the "AWS KMS External Key Store Proxy API" specification, version 1.0.3 (github.com/aws/
aws-kms-xksproxy-api-spec). It shares no code with Fuin, because it is the other side of the wire.
"""
