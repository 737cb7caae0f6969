"""A finding of the proof: what is wrong with one row or one blob, or what could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass

# Kinds of findings: something is wrong; something could not be looked at, so nothing is known; a blob without a row.
FAULT, UNPROVEN, ORPHAN = "fault", "unproven", "orphan"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `reason` says it in words, never with a byte of any content."""

    kind: str
    reason: str
    bucket: str = ""
    key: str = ""
    version: str = ""
    upload: str = ""
    part: int = 0  # 0: the whole version or upload
    blob: str = ""

    @property
    def place(self) -> str:
        """Return the name of the row, or of the blob without one, for people."""
        if not self.bucket:
            return f"blob {self.blob}"
        address = f"s3://{self.bucket}/{self.key}"
        name = f"upload {self.upload} to {address}" if self.upload else f"object {address}, version {self.version}"
        part = f", part {self.part}" if self.part else ""
        return f"{name}{part}, blob {self.blob}" if self.blob else f"{name}{part}"

    @property
    def sentence(self) -> str:
        """Return the finding for people."""
        return f"{self.kind}: {self.place}: {self.reason}"
