"""The software backend: key material in this process, sealed under the root key in the store."""
