"""The adaptations that the test which runs now has used."""

FORM, ACL = "a form signed by V4", "a policy for a canned ACL"
used: set[str] = set()
