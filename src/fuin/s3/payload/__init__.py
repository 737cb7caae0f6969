"""Bodies on their way in and out: declared, digested, encrypted and decrypted."""
