"""The kinds of key material: what each is made of, and what it can do once it is open."""
