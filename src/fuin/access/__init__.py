"""Pure rules: signatures, chunk signatures, policies and decisions with their reasons; no I/O, no keys at rest."""
