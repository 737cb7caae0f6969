"""`fuin rewrap vol-…`: bring the data key of a volume under another KMS key, by a request to the running server."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from fuin.errors import FuinError

_PARAMETER = "FuinKmsKeyId"  # of ModifyVolume; no client of AWS's knows it
_REGION = "us-east-1"


def rewrap_volume(volume_id: str, key: str, endpoint_url: str | None) -> str:
    """Return the ARN of the key under which a volume's data key is now; raises FuinError with the server's refusal.

    Credentials and Region are those of AWS's programs.
    """
    if not key:
        raise FuinError("under which key? Give --to")
    session = botocore.session.Session()
    region = session.get_config_variable("region") or _REGION
    try:
        client: Any = session.create_client("ec2", region_name=region, endpoint_url=endpoint_url)
        if ".amazonaws.com" in client.meta.endpoint_url:
            raise FuinError("where is the server? Give --endpoint-url, or set AWS_ENDPOINT_URL_EC2")
        client.meta.events.register(
            "before-call.ec2.ModifyVolume", lambda params, **_: params["body"].update({_PARAMETER: key})
        )
        client.modify_volume(VolumeId=volume_id)
        (found,) = client.describe_volumes(VolumeIds=[volume_id])["Volumes"]
    except ClientError as error:
        refused: Any = error.response.get("Error", {})
        raise FuinError(f"{volume_id}: {refused.get('Code')}: {refused.get('Message')}") from None
    except (BotoCoreError, ValueError) as error:
        raise FuinError(f"the server cannot be asked: {error}") from error
    return str(found["KmsKeyId"])
