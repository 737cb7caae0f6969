"""STS: who am I; what STS and IAM do not have is refused at once and in their own form."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.server import ACCOUNT, Server, new_user


def test_root_and_users_are_told_who_they_are(server: Server) -> None:
    """GetCallerIdentity names account, ARN and id, and needs no right."""
    root = server.client("sts").get_caller_identity()
    assert (root["Account"], root["Arn"], root["UserId"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    user = server.add_user("whoami")
    known = server.client("sts", user).get_caller_identity()
    assert known["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/whoami"
    assert known["UserId"].startswith("AIDA")


def test_an_unknown_access_key_is_refused(server: Server) -> None:
    """AWS: InvalidClientTokenId, status 403."""
    with pytest.raises(ClientError) as refused:
        server.new_client("sts", new_user("nobody"), retry=False).get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_what_is_not_built_is_refused_at_once(server: Server) -> None:
    """An action that Fuin does not have is a 400, which no client sends again."""
    sts, iam = server.new_client("sts", retry=False), server.new_client("iam", retry=False)
    calls: list[Callable[[], Any]] = [
        lambda: sts.get_web_identity_token(Audience=["a"], SigningAlgorithm="RS256"),
        lambda: iam.upload_ssh_public_key(UserName="a", SSHPublicKeyBody="b"),
    ]
    for refused in calls:
        with pytest.raises(ClientError) as error:
            refused()
        assert error.value.response["Error"]["Code"] == "InvalidAction"
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    sts.close()
    iam.close()
