"""The ledger: which keys the stored objects depend on, held against the objects themselves."""
