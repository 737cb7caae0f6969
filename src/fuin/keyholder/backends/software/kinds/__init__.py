"""The kinds of key material: the form of each kind, and the operations of its opened material."""
