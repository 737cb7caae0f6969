"""How objects are encrypted: one file for each scheme, and all that the schemes do differently."""
