"""Terraform's S3 backend: states under SSE-KMS, locks by `If-None-Match`, workspaces. No provider is needed."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.place import EncryptedBucket, payload
from tests.support.server import REPOSITORY, run

PYTHON = REPOSITORY / ".venv-terraform" / "bin" / "python"
PROGRAM = Path(__file__).parent / "clients" / "terraform.py"
KEY = "states/größe a+b.tfstate"
CONFIGURATION = """
terraform {
  backend "s3" {
    bucket         = "%s"
    key            = "%s"
    region         = "us-east-1"
    encrypt        = true
    kms_key_id     = "%s"
    use_lockfile   = true
    use_path_style = true
    endpoints      = { s3 = "%s", iam = "%s", sts = "%s" }
  }
}
resource "terraform_data" "secret" { input = "%s" }
output "secret" { value = terraform_data.secret.output }
"""
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (PYTHON.parents[1] / ".done").exists(), reason="Terraform is not installed (make .venv-terraform/.done)"
    ),
]


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform in a folder of its own, with the place's bucket as its backend."""

    place: EncryptedBucket
    folder: Path

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        variables = self.place.server.client_environment() | {"CHECKPOINT_DISABLE": "1"}
        variables.pop("TF_CLI_CONFIG_FILE", None)
        return run([str(PYTHON), str(PROGRAM), f"-chdir={self.folder}", *arguments], variables, check=check)


def test_terraform_keeps_its_states(place: EncryptedBucket, tmp_path: Path) -> None:
    """A state is applied, pulled, pushed and kept apart by workspace; a lock that somebody holds stops the next one."""
    terraform, secret, url = Terraform(place, tmp_path), payload(32).decode(), place.server.url
    settings = (place.bucket, KEY, place.key_arn, url, url, url, secret * 2)
    (tmp_path / "main.tf").write_text(CONFIGURATION % settings)
    terraform("init", "-input=false", "-no-color")  # with its own checks of the credentials, by STS
    terraform("apply", "-auto-approve", "-no-color")
    place.assert_sealed(KEY, (secret * 2).encode())
    state = json.loads(terraform("state", "pull").stdout)
    assert state["outputs"]["secret"]["value"] == secret * 2
    state["serial"] += 10
    state["outputs"]["pushed"] = {"value": "by hand", "type": "string"}
    (tmp_path / "pushed.tfstate").write_text(json.dumps(state))
    terraform("state", "push", str(tmp_path / "pushed.tfstate"))
    s3 = place.server.client("s3")
    assert s3.head_object(Bucket=place.bucket, Key=KEY)["SSEKMSKeyId"] == place.key_arn
    lock = {"ID": "0b5c", "Operation": "OperationTypeApply", "Who": "somebody@else"}
    s3.put_object(Bucket=place.bucket, Key=f"{KEY}.tflock", Body=json.dumps(lock))
    refused = terraform("apply", "-auto-approve", "-no-color", "-refresh-only", check=False)
    assert refused.returncode == 1
    assert "PreconditionFailed" in refused.stderr
    assert "somebody@else" in refused.stderr
    terraform("force-unlock", "-force", "0b5c")
    terraform("workspace", "new", "stage")
    assert "* stage" in terraform("workspace", "list").stdout
    assert {one["Key"] for one in s3.list_objects_v2(Bucket=place.bucket)["Contents"]} == {KEY, f"env:/stage/{KEY}"}
    terraform("workspace", "select", "default")
    terraform("workspace", "delete", "stage")
    pulled = json.loads(terraform("state", "pull").stdout)
    assert (pulled["lineage"], pulled["outputs"]) == (state["lineage"], state["outputs"])
