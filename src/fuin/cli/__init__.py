"""The `fuin` command: thin verbs over the rooms below."""
