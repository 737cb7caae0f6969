"""The key management service: its HTTP edge, its operations, and the one way by which other rooms use a key."""
