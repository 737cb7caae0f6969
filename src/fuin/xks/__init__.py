"""External key stores: asking the proxy of an external key manager (AWS's XKS proxy API, version 1)."""
