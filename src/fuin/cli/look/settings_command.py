"""`fuin config show` and `fuin status`: what the settings say, and what the server answers."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.session
import typer
from botocore.exceptions import BotoCoreError

from fuin import __version__
from fuin.cli.wire.answers import WireError, wire_error
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, client_command
from fuin.cli.wire.show import print_json, print_table, print_values
from fuin.errors import FuinError

_VARIABLES = ("AWS_CA_BUNDLE", "FUIN_DATA", "FUIN_DATABASE", "FUIN_BLOBS")
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_S3")
_NOT_READY = 503
_STATUSES = (200, _NOT_READY)
_WAIT = 5.0  # seconds for an answer about health
_SKEW = 60.0  # seconds between the clocks that are worth a word; a request fails above 300


@client_command("sts")
def show_status(client: Client, json_output: JsonOutput = False) -> None:
    """Show whether the server answers and is ready, who you are there, and whether the clocks agree.

    The exit status is 1 if the server cannot serve requests.

    **Example**: `fuin status`
    """
    values: dict[str, Any] = {"endpoint": client.endpoint_url, "region": client.region, "client": f"fuin {__version__}"}
    is_ready = True
    if ".amazonaws.com" not in client.endpoint_url:
        health, is_ready, difference = _ask_health(client.endpoint_url)
        values |= health
        if difference is not None:
            values["clocks"] = f"differ by {difference:.0f} s" if abs(difference) > _SKEW else "agree"
    try:
        found = client.ask("get_caller_identity", "the caller")
        values |= {"caller": found["Arn"], "account": found["Account"]}
    except WireError as error:
        values["caller"], is_ready = f"not known: {error}", False
    print_json(values) if json_output else print_values(values)
    if not is_ready:
        raise typer.Exit(1)


def _ask_health(endpoint: str) -> tuple[dict[str, str], bool, float | None]:
    """Return what the server says of its health, whether it is ready, and how much its clock is ahead."""
    url = f"{endpoint.rstrip('/')}/health/ready"
    if not url.startswith(("http://", "https://")):
        raise FuinError(f"{endpoint} is no address of a server")
    try:
        answer = urllib.request.urlopen(url, timeout=_WAIT, context=_context(url))  # noqa: S310 - checked above
    except urllib.error.HTTPError as error:
        answer = error
    except (urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        words = getattr(reason, "strerror", None) or reason
        raise FuinError(f"{endpoint} does not answer: {words}; see AWS_ENDPOINT_URL, or give --endpoint-url") from error
    with answer:
        text, date, status = answer.read(65536), answer.headers.get("Date"), answer.status
    health: dict[str, str] = {"status": "answers"}  # another server has no such page
    if status in _STATUSES:
        with contextlib.suppress(ValueError, AttributeError):
            health |= {name: str(value) for name, value in json.loads(text).items()}
    ahead = None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    return health, status != _NOT_READY, ahead


def _context(url: str) -> Any:
    bundle = os.environ.get("AWS_CA_BUNDLE")
    return ssl.create_default_context(cafile=bundle) if url.startswith("https://") else None


def show_config(json_output: JsonOutput = False) -> None:
    """Show the settings that commands would use, and where each comes from. No secret is shown.

    **Example**: `fuin config show`
    """
    rows = list(_settings())
    if json_output:
        print_json([{"setting": name, "value": value, "from": source} for name, value, source in rows])
    else:
        print_table(("setting", "value", "from"), rows)


def _settings() -> list[tuple[str, str, str]]:
    session = botocore.session.Session()
    profile = session.get_config_variable("profile") or "default"
    try:
        scoped: dict[str, Any] = session.get_scoped_config()
        credentials: Any = session.get_credentials()
    except BotoCoreError as error:
        raise wire_error(error, "the settings") from error
    rows = [("profile", profile, _source(("AWS_PROFILE", "AWS_DEFAULT_PROFILE"), None))]
    region = session.get_config_variable("region") or os.environ.get("AWS_REGION") or ""
    rows.append(("region", region, _source(("AWS_DEFAULT_REGION", "AWS_REGION"), scoped.get("region"))))
    for name in _ENDPOINTS:
        value = os.environ.get(name) or (scoped.get("endpoint_url", "") if name == _ENDPOINTS[0] else "")
        if value or name == _ENDPOINTS[0]:
            label = name.removeprefix("AWS_").lower().replace("_", " ")
            rows.append((label, value or "AWS", _source((name,), scoped.get("endpoint_url"))))
    if credentials is None:
        rows.append(("access key", "", "not set: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"))
    else:
        rows.append(("access key", credentials.access_key, str(credentials.method)))
    files = ("AWS_CONFIG_FILE", session.get_config_variable("config_file")), (
        "AWS_SHARED_CREDENTIALS_FILE", session.get_config_variable("credentials_file"),
    )  # fmt: skip
    for variable, value in files:
        path = os.path.expanduser(str(value))
        here = "" if os.path.exists(path) else ", which does not exist"
        rows.append((variable.removeprefix("AWS_").lower().replace("_", " "), path, _source((variable,), None) + here))
    rows += [(name, os.environ[name], "environment") for name in _VARIABLES if name in os.environ]
    return rows


def _source(variables: tuple[str, ...], in_file: object) -> str:
    for name in variables:
        if name in os.environ:
            return name
    return "the profile" if in_file else "default"
