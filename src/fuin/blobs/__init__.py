"""The stored ciphertext: one interface (`interface.py`), and the stores behind it (`files/`)."""
