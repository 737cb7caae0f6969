"""jsign, which signs programs for Windows with keys of KMS; it knows the addresses of AWS only."""
