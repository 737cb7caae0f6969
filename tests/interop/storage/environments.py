"""Where the clients are that `make clients` installs."""

from tests.support.server import REPOSITORY

CLIENTS = REPOSITORY / ".venv-clients" / "bin"
PYTHON = CLIENTS / "python"
NODE_MODULES = REPOSITORY / ".venv-javascript-s3" / "node_modules"
