"""The kinds of resources that rights are asked for: each knows its policy, its condition keys and its rule.

| resource | its own policy | who decides besides |
|---|---|---|
| `key` | the key policy | grants; the caller's policies, where the key policy leaves it to them |
| `bucket`, `object` | the bucket policy, if there is one | the caller's policies |
| `role` | the trust policy | the caller's policies, where the trust policy leaves it to them |
| `own` | none | the caller's policies alone |

A resource is a small value. The gate makes one for each right that a request needs, and `fuin who-can`, `fuin explain`
and the simulations make the same ones: so what a key is, is written once.
"""
