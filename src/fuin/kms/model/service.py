"""botocore's copy of the service model, for what is made or tested by it; answering requests needs the shapes only."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel


@cache
def service_model() -> Any:
    """Return botocore's model of KMS."""
    return ServiceModel(Loader().load_service_model("kms", "service-2"), "kms")
