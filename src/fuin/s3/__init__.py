"""The object store: its HTTP edge, its operations, and the encryption of what it stores."""
