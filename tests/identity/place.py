"""IAM, STS and KMS in this process: the place of the key service's tests, with every service behind one port."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from fuin.gate.http import Receive, Request, Scope, Send
from fuin.server.application import HANDLERS, service_of
from tests.kms import place as kms
from tests.support.server import User

ACCOUNT, OTHER_ACCOUNT, REGION = kms.ACCOUNT, kms.OTHER_ACCOUNT, kms.REGION
ANYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


class Place(kms.Place):
    """All services; `service` gives clients of each."""

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await HANDLERS[service_of(request)](self.services, self.day_keys, request, send)

    def service(self, name: str, user: User | None = None, *, token: str | None = None, region: str = REGION) -> Any:
        """Return a boto3 client of a service, by default of the first account's root, that sends each call once."""
        who = user or self.root
        index = (who.access_key_id + (token or ""), f"{name}/{region}")
        if index not in self._clients:
            config = Config(
                retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=30,
                s3={"addressing_style": "path"},
            )  # fmt: skip
            self._clients[index] = self._session.client(
                name,
                region_name=region,
                endpoint_url=self.url,
                config=config,
                aws_access_key_id=who.access_key_id,
                aws_secret_access_key=who.secret_access_key,
                aws_session_token=token,
            )
        return self._clients[index]

    def new_user(self, policy: Mapping[str, Any] | None = None, name: str | None = None) -> User:
        """Add a user with an access key over IAM, as the root."""
        iam = self.service("iam")
        chosen = name or f"user-{secrets.token_hex(4)}"
        iam.create_user(UserName=chosen)
        key = iam.create_access_key(UserName=chosen)["AccessKey"]
        if policy is not None:
            iam.put_user_policy(UserName=chosen, PolicyName="own", PolicyDocument=json.dumps(policy))
        return User(chosen, key["AccessKeyId"], key["SecretAccessKey"])

    def form(
        self,
        body: bytes,
        *,
        user: User | None = None,
        service: str = "iam",
        region: str = REGION,
        method: str = "POST",
        query: str = "",
        signed: bool = True,
    ) -> tuple[int, str]:
        """Send one form made by hand; return the status and the text of the answer."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest(method, f"{self.url}/{query}", headers=headers, data=body)
        if signed:
            who = user or self.root
            SigV4Auth(Credentials(who.access_key_id, who.secret_access_key), service, region).add_auth(request)
        answer = urllib3.request(method, f"{self.url}/{query}", headers=dict(request.headers), body=body, retries=False)
        return answer.status, answer.data.decode()


def failure(error: ClientError) -> tuple[int, str, str]:
    """Return status, code and message of a refusal."""
    response: Any = error.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]
