"""The server's settings and the places of its files, in one frozen value."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from fuin.clock import JUMP_LIMIT

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
SMALL_OBJECT = 16 * KIB  # an object that is kept in the database: docs/decisions/0030
LARGEST_SMALL_OBJECT = 128 * KIB


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of `fuin serve`; times are seconds, sizes are bytes."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8700
    account: str = "123456789012"
    region: str = "us-east-1"
    workers: int = 1
    connections: int = 4096  # of one worker; more are turned away
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_self_signed: bool = False
    require_tls_for_sse: bool = False  # S3 refuses reads and writes under SSE-KMS and SSE-C over plain HTTP
    new_audit_log: bool = False  # begin one although there is data without a log
    s3_domains: tuple[str, ...] = ()  # buckets are virtual hosts below these, in lower case, and below localhost
    accept_older_database: bool = False  # than the log or the blobs are witnesses of
    accept_older_log: bool = False  # than the database has seen
    accept_older_blobs: bool = False  # than the database has seen, or none at all
    orphan_days: int = 7  # for which blobs that no index names are kept out of the way
    clock_skew: int = 900  # AWS: S3 takes 15 minutes
    kms_clock_skew: int = 300  # AWS: the other services take 5 minutes
    kms_body_limit: int = 1 * MIB
    s3_document_limit: int = 2 * MIB  # XML bodies: DeleteObjects and CompleteMultipartUpload are the largest
    object_limit: int = 5 * GIB  # one PutObject or UploadPart
    frame_length: int = 256 * KIB  # plaintext bytes per message frame
    small_object_limit: int = SMALL_OBJECT  # bytes; larger ones are blobs of their own. 0: all are
    request_quotas: dict[str, float] = field(
        default_factory=dict
    )  # requests per second; kms/reach/throttling.py has names
    xks_hosts: tuple[str, ...] = ()  # external key store proxies: name, or name=address:port; none listed: public ones
    xks_ca: Path | None = None  # the certificate authority of those proxies, instead of the system's
    clock_jump_limit: float = JUMP_LIMIT  # by more the wall clock has jumped: see clock.py
    xks_timeout: float = 0.25  # AWS: each request to a proxy
    database_url: str = field(
        default="", repr=False
    )  # of PostgreSQL, perhaps with a password; empty: SQLite, in the data folder
    node: str = ""  # this node's name among many
    revocation_bound: float = 1.0  # the longest time that another node may honour a revoked right; 0: none at all
    blobs_url: str = ""  # s3://BUCKET/PREFIX for the stored objects; empty: files, in the data folder
    blobs_endpoint: str = ""  # of that S3; empty: AWS
    blobs_ca: Path | None = None  # the certificate authority of that S3, instead of the system's
    drain_seconds: float = 0.0  # for which a server that ends still takes clients, and says that it is not ready
    audit_cluster: bool = False  # an answer waits until a second place has its record
    # How long the log of a node may have no copy before no key is used: longer than a gateway's restart or a Ceph
    # monitor's election takes, so that these stop nobody, and short enough for somebody to see it the same minute.
    audit_copy_limit: float = 60.0
    # For keys that something depends on: see kms/dependents.py.
    deletion_guard: str = "refuse"  # of what ends a key or its imported material: refuse, warn or off
    disabling_guard: str = "warn"  # of what makes a key unusable for a time: warn or off

    @property
    def member(self) -> str:
        """Return this node's name in an installation of many nodes, empty for an embedded server."""
        return self.node if self.database_url else ""

    @property
    def node_name(self) -> Path:
        """Return the file with the name of the node that this data folder belongs to; only with `database_url`."""
        return self.data / "node"

    @property
    def draining(self) -> Path:
        """Return the file that exists while the server ends, and takes no new clients."""
        return self.run / "draining"

    @property
    def database(self) -> Path:
        """Return the SQLite database."""
        return self.data / "fuin.db"

    @property
    def blobs(self) -> Path:
        """Return the folder of the stored objects' ciphertext."""
        return self.data / "blobs"

    @property
    def audit(self) -> Path:
        """Return the folder of the audit log's segments."""
        return self.data / "audit"

    @property
    def run(self) -> Path:
        """Return the folder of the lock and the keyholder's socket."""
        return self.data / "run"

    @property
    def keyholder_socket(self) -> Path:
        """Return the keyholder's Unix socket."""
        return self.run / "keyholder.sock"

    @property
    def lease_page(self) -> Path:
        """Return the page in which the lease keeper shows the node's lease; only with `database_url`."""
        return self.run / "lease"

    @property
    def root_key(self) -> Path:
        """Return the root key's file: the key itself (0600), or its Argon2id parameters when a passphrase opens it."""
        return self.data / "root.key"

    def prepare(self) -> None:
        """Make the folders, readable by this user only; folders that exist already and are open to others are closed.

        Anyone who may write in one of them could replace our keyholder by their own. Raises OSError.
        """
        os.umask(0o077)
        for folder in (self.data, self.blobs, self.audit, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
