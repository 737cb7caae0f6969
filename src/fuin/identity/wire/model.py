"""A query service's model: how a form becomes checked members, and members become XML.

It is read from botocore's service-2.json, as the clients do. IAM's is large (0.12 s and 4 MB here), so the first
request that needs it loads it. Errors have AWS's words, and all errors of a request come at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from fuin.gate.query_form import Tree
from fuin.identity.wire import reading, writing
from fuin.identity.wire.faults import QueryFault

Given = Mapping[str, Any]  # members by the model's names; those that were not given are absent
Output = dict[str, Any]  # members by the model's names; None is left out


class Model:
    """The model of one service; each operation is compiled at its first use."""

    def __init__(self, service: str, version: str, namespace: str) -> None:
        self.service, self.version, self.namespace = service, version, namespace
        self._loaded: Any = None
        self._readers: dict[str, Callable[[Tree], Given]] = {}
        self._writers: dict[str, Callable[[Output], str] | None] = {}
        self._plainers: dict[str, Callable[[Output], Output] | None] = {}

    async def ensure_loaded(self) -> None:
        """Load the model, beside the event loop; only the first request waits for it."""
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(self.load)

    def load(self) -> Any:
        """Return botocore's model."""
        if self._loaded is None:
            self._loaded = ServiceModel(Loader().load_service_model(self.service, "service-2"), self.service)
        return self._loaded

    def knows(self, operation: str) -> bool:
        """Return whether AWS has the operation, built here or not."""
        return operation in self.load().operation_names

    def read(self, operation: str, form: Tree) -> Given:
        """Return an operation's members; raises ValidationError with AWS's text."""
        reader = self._readers.get(operation)
        if reader is None:
            shape = self.load().operation_model(operation).input_shape
            reader = self._readers[operation] = _reader(shape) if shape is not None else lambda _: {}
        return reader(form)

    def write(self, operation: str, output: Output | None) -> str | None:
        """Return the content of an answer's result; raises KeyError for a member that the model does not have."""
        if operation not in self._writers:
            shape = self.load().operation_model(operation).output_shape
            self._writers[operation] = writing.structure(shape) if shape is not None else None
        writer = self._writers[operation]
        return None if writer is None else writer(output or {})

    def plain(self, operation: str, output: Output | None) -> Output | None:
        """Return an answer's result with the types of JSON; raises KeyError for a member that is not in the model."""
        if operation not in self._plainers:
            shape = self.load().operation_model(operation).output_shape
            self._plainers[operation] = writing.plain(shape) if shape is not None else None
        plainer = self._plainers[operation]
        return None if plainer is None else plainer(output or {})


def _reader(shape: Any) -> Callable[[Tree], Given]:
    read_members = reading.structure(shape)

    def read(form: Tree) -> Given:
        errors: list[str] = []
        given: Given = read_members(form, "", errors)
        if errors:
            noun = "error" if len(errors) == 1 else "errors"
            raise QueryFault("ValidationError", f"{len(errors)} validation {noun} detected: {'; '.join(errors)}")
        return given

    return read
