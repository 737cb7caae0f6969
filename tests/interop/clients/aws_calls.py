"""Runs the `aws` command line for many calls, each in a process forked off when the program is loaded and set up.

Each line of standard input is a call, a list of arguments; its line of standard output is {"status", "output",
"errors"}. Each call is a fresh process in which the `aws` program's own driver does what it is told; loading modules
and models and building the table of commands, nine tenths of a call's time, is done once.
"""

import contextlib
import json
import os
import sys
import tempfile
from typing import IO, Any, NoReturn

from awscli import clidriver


def prepared() -> Any:
    """Return a driver that has read its commands and what a client of the key service needs, all without network."""
    driver = clidriver.create_clidriver()
    with tempfile.TemporaryFile("w") as nowhere, contextlib.redirect_stdout(nowhere):
        assert driver.main(["kms", "encrypt", "--generate-cli-skeleton"]) == 0
    driver.session.create_client("kms", region_name="us-east-1").close()
    return driver


def _become(driver: Any, arguments: list[str], output: int, errors: int) -> NoReturn:
    status = 1
    try:
        os.dup2(output, 1)
        os.dup2(errors, 2)
        status = driver.main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def call(driver: Any, arguments: list[str]) -> dict[str, Any]:
    """Run `aws` once and return its exit status and what it wrote."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _become(driver, arguments, output.fileno(), errors.fileno())
        _, how = os.waitpid(child, 0)
        return {"status": os.waitstatus_to_exitcode(how), "output": _read(output), "errors": _read(errors)}


def main() -> None:
    """Answer calls until standard input ends."""
    driver = prepared()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(call(driver, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
