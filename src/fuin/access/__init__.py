"""The rules that decide: policies, grants and decisions with their reasons. They do no I/O and hold no secrets."""
