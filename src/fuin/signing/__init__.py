"""Signature Version 4 of AWS: headers, presigned URLs, and bodies in signed chunks."""
