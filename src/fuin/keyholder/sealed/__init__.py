"""Everything sealed under the root key beside key material, and the memory that keys are in."""
