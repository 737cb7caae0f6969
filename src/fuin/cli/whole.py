"""The `fuin` command with all its verbs, as the reference page shows it."""

from fuin.cli.verbs import command

app = command()
