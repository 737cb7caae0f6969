"""Where key material is used: one folder for each backend, all behind the interface in `interface`."""
