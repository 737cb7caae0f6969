"""The database: keys, identities, buckets and the index of objects; one module per noun, SQL stays in here."""
