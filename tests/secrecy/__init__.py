"""The search for key material and secret access keys everywhere they may not be."""
