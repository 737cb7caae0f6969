"""Hosts as tests have them: registered, with a client that signs as the host."""

from __future__ import annotations

import secrets
from typing import Any
from xml.etree import ElementTree

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from fuin.identity import host_administration
from fuin.store.volumes.hosts import Host
from fuin.testing.kit.users import ACCOUNT, REGION, User
from tests.support.place import Place

NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"


class Refused(Exception):
    """An error answer to a host: its code and its text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class TestHost:
    """A registered host and its requests."""

    __test__ = False

    def __init__(self, place: Place, zone: str = f"{REGION}a", account: str = ACCOUNT) -> None:
        self._place = place
        name = f"host-{secrets.token_hex(4)}"
        services = place.services
        self.row: Host
        self.row, key = place.run(
            host_administration.add_host(services.store, services.keyholder, account, name, REGION, zone)
        )
        self.user = User(name, key.access_key_id, key.secret.reveal().decode())

    @property
    def id(self) -> str:
        """Return the id."""
        return self.row.host_id

    def client(self, service: str) -> Any:
        """Return a client of boto3 that signs as the host."""
        return self._place.client(service, self.user)

    def ask(self, action: str, **members: str) -> dict[str, Any]:
        """Send one of Fuin's own actions, and return the members of the answer."""
        return ask(self._place, self.user, action, **members)

    def report(self, volume: str, state: str, **members: str) -> None:
        """Report the state of an attachment."""
        assert self.ask("FuinReportAttachment", VolumeId=volume, State=state, **members)["return"] == "true"

    def task(self, volume: str) -> dict[str, Any]:
        """Return the task about a volume."""
        tasks = self.ask("FuinDescribeHostTasks")["attachmentSet"]
        (found,) = [task for task in tasks if task["volumeId"] == volume]
        return dict(found)


def ask(place: Place, user: User, action: str, **members: str) -> dict[str, Any]:
    """Send an action that boto3 does not know; raises Refused."""
    form = {"Action": action, "Version": "2016-11-15", **members}
    request = AWSRequest("POST", f"{place.url}/", data=form, headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})  # fmt: skip
    SigV4Auth(Credentials(user.access_key_id, user.secret_access_key), "ec2", REGION).add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    root = ElementTree.fromstring(answer.content)
    if answer.status_code != 200:
        raise Refused(root.findtext(".//Code") or "", root.findtext(".//Message") or "")
    return {child.tag.removeprefix(NAMESPACE): _value(child) for child in root}


def _value(element: ElementTree.Element) -> Any:
    if element.tag.endswith("Set"):
        return [_members(item) for item in element]
    return _members(element) if len(element) else element.text or ""


def _members(element: ElementTree.Element) -> dict[str, Any]:
    return {child.tag.removeprefix(NAMESPACE): _value(child) for child in element}
