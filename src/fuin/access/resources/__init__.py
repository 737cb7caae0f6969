"""The kinds of resources: each knows its policy, its condition keys, and the rule that decides about it.

| resource | its own policy | what else decides |
|---|---|---|
| `key` | the key policy | grants; the caller's policies, if the key policy names only the account |
| `bucket`, `object` | the bucket policy, if the bucket has one | the caller's policies |
| `role` | the trust policy | the caller's policies, if the trust policy names only the account |
| `own` | no policy | the caller's policies alone |

A resource is a small value. The gate makes one for each right that a request needs. `fuin who-can`, `fuin explain` and
the simulations make the same values, so the properties of a key are written once.
"""
