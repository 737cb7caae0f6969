"""The `fuin` command: serve, administer, look at the log, and encrypt files."""

from __future__ import annotations

import sys

from fuin.cli.verbs import VERBS, command
from fuin.errors import FuinError


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit status 1."""
    asked = [name for name in sys.argv[1:2] if name in VERBS]
    try:
        command(asked or VERBS)()
    except (FuinError, OSError) as error:
        sys.stderr.write(f"fuin: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
