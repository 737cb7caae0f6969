"""`fuin serve`: run the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fuin.cli import passphrase
from fuin.cli.options import (
    DEFAULT_DATA,
    Account,
    Blobs,
    BlobsAuthority,
    BlobsEndpoint,
    Data,
    Database,
    Node,
    PassphraseFile,
    ProxyAuthority,
    ProxyHosts,
    Region,
    check_account,
    check_proxy_hosts,
    default_node,
)
from fuin.clock import JUMP_LIMIT
from fuin.errors import FuinError
from fuin.server import keyholding
from fuin.server.domains import read_domains
from fuin.server.joining import check_password, join
from fuin.server.quotas import read_quotas
from fuin.server.supervisor import supervise
from fuin.settings import LARGEST_SMALL_OBJECT, SMALL_OBJECT, Settings
from fuin.store.errors import DatabaseAway

if TYPE_CHECKING:
    from fuin.server.first_start import RootAccess

DRAIN = 5.0  # seconds; a balancer that asks every second or two has seen it twice

Host = Annotated[str, typer.Option(help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Worker processes; one per core by default.")]
Connections = Annotated[
    int, typer.Option(min=1, max=60_000, help="Connections of one worker; when all are taken, a new client gets a 503.")
]
Certificate = Annotated[Path | None, typer.Option(help="PEM certificate chain.", exists=True, dir_okay=False)]
Key = Annotated[Path | None, typer.Option(help="PEM private key.", exists=True, dir_okay=False)]
Domains = Annotated[
    list[str] | None,
    typer.Option(
        "--s3-domain",
        help="A domain of virtual-hosted buckets, BUCKET.DOMAIN; may be repeated. On all other hosts except "
        "BUCKET.localhost the bucket is in the path.",
    ),
]
SelfSigned = Annotated[bool, typer.Option("--tls-self-signed", help="Make a self-signed certificate, for trying out.")]
RequireTls = Annotated[
    bool,
    typer.Option(
        "--require-tls-for-sse",
        help="Refuse reads and writes of objects under SSE-KMS and SSE-C over plain HTTP, as AWS does.",
    ),
]
Quotas = Annotated[
    list[str] | None,
    typer.Option(
        "--request-quota",
        metavar="NAME=RATE",
        help="Throttle the KMS requests of an account and Region, such as kms:CreateKey=5 a second; aws for "
        "AWS's quotas.",
    ),
]
NewLog = Annotated[
    bool, typer.Option("--new-audit-log", help="Begin a new audit log, if the log of this data is lost.")
]
JumpLimit = Annotated[
    float,
    typer.Option(
        "--clock-jump-limit",
        metavar="SECONDS",
        min=1.0,
        help="If the wall clock jumps by more than this, everything that destroys waits. See `fuin clock`.",
    ),
]
OlderDatabase = Annotated[
    bool,
    typer.Option(
        "--accept-older-database",
        help="Start from a database that, by the log, has lost acknowledged changes; this is recorded.",
    ),
]
OlderLog = Annotated[
    bool,
    typer.Option("--accept-older-log", help="Start with a log that has lost records; this is recorded."),
]
OlderBlobs = Annotated[
    bool,
    typer.Option("--accept-older-blobs", help="Start with older blobs, or without blobs; this is recorded."),
]
Keep = Annotated[
    int,
    typer.Option(
        "--keep-orphans", metavar="DAYS", min=1, max=3650, help="How long to keep blobs that the index does not name."
    ),
]

SmallObjects = Annotated[
    int,
    typer.Option(
        "--small-objects",
        metavar="BYTES",
        min=0,
        max=LARGEST_SMALL_OBJECT,
        help="Objects of up to so many bytes are kept in the database, where they cost least; 0: all are blobs of "
        "their own. It is for objects that are written from now on.",
    ),
]
Drain = Annotated[
    float | None,
    typer.Option(
        "--drain",
        metavar="SECONDS",
        min=0.0,
        max=600.0,
        help="How long to go on after SIGTERM while /health/ready says 503, so that a balancer sees it; 5 with "
        "--database, and else 0.",
    ),
]
Bound = Annotated[
    float,
    typer.Option(
        "--revocation-bound",
        metavar="SECONDS",
        min=0.0,
        max=60.0,
        help="With --database: how long a change waits at most for a node that is silent, the same on all nodes. 0: "
        "no change waits, and each request asks the database.",
    ),
]
AuditPlaces = Annotated[
    Literal["local", "cluster"],
    typer.Option(
        "--audit",
        help="With --database: when an answer may leave. local: its record is on this node's disk, and in the second "
        "place about a second later; cluster: its record is in both.",
    ),
]
CopyLimit = Annotated[
    float,
    typer.Option(
        "--audit-copy-limit",
        metavar="SECONDS",
        min=5.0,
        help="With --database: no key is used when the log has had no copy in its second place for so long.",
    ),
]
DeletionGuard = Annotated[
    Literal["refuse", "warn", "off"],
    typer.Option(
        "--deletion-guard",
        help="When objects, uploads or buckets still need a key: refuse ScheduleKeyDeletion and "
        "DeleteImportedKeyMaterial, or put a warning into log and record. The same on all nodes.",
    ),
]
DisablingGuard = Annotated[
    Literal["warn", "off"],
    typer.Option(
        "--disabling-guard",
        help="When they still need a key: put a warning about DisableKey and DisconnectCustomKeyStore into log and "
        "record. The same on all nodes.",
    ),
]


def serve(
    data: Data = DEFAULT_DATA, port: Port = 8700, host: Host = "127.0.0.1", account: Account = "123456789012",
    region: Region = "us-east-1", workers: Workers = None, connections: Connections = 4096,
    tls_cert: Certificate = None, tls_key: Key = None, tls_self_signed: SelfSigned = False,
    passphrase_file: PassphraseFile = None, new_audit_log: NewLog = False,
    accept_older_database: OlderDatabase = False, accept_older_log: OlderLog = False,
    accept_older_blobs: OlderBlobs = False, keep_orphans: Keep = 7, request_quota: Quotas = None,
    s3_domain: Domains = None, xks_host: ProxyHosts = None, xks_ca: ProxyAuthority = None,
    clock_jump_limit: JumpLimit = JUMP_LIMIT, database: Database = "", node: Node = "", revocation_bound: Bound = 1.0,
    audit: AuditPlaces = "local", audit_copy_limit: CopyLimit = 60.0,
    blobs: Blobs = "", blobs_endpoint: BlobsEndpoint = "", blobs_ca: BlobsAuthority = None,
    drain: Drain = None, deletion_guard: DeletionGuard = "refuse", disabling_guard: DisablingGuard = "warn",
    require_tls_for_sse: RequireTls = False, small_objects: SmallObjects = SMALL_OBJECT,
) -> None:  # fmt: skip
    """Serve KMS, S3, IAM and STS on one port until SIGTERM or Ctrl-C.

    The first start prints the account's root access key once, unless FUIN_ROOT_ACCESS_KEY_ID and
    FUIN_ROOT_SECRET_ACCESS_KEY give it. With --passphrase-file then, every start needs that passphrase (Argon2id).

    With --database this is one node of many: `fuin init` makes their installation, and seals their root key.

    **Example**: `fuin serve --data ./fuin-data --port 8700 --tls-self-signed --passphrase-file -`
    """
    check(account, xks_host or [], (tls_cert, tls_key))
    settings = Settings(
        data=data.absolute(), host=host, port=port, account=account, region=region, connections=connections,
        workers=workers or os.cpu_count() or 1, new_audit_log=new_audit_log, clock_jump_limit=clock_jump_limit,
        tls_cert=tls_cert and tls_cert.absolute(), tls_key=tls_key and tls_key.absolute(), orphan_days=keep_orphans,
        request_quotas=read_quotas(request_quota or ()), s3_domains=read_domains(s3_domain or ()),
        accept_older_database=accept_older_database, accept_older_log=accept_older_log, tls_self_signed=tls_self_signed,
        accept_older_blobs=accept_older_blobs, xks_hosts=tuple(xks_host or ()), xks_ca=xks_ca and xks_ca.absolute(),
        database_url=database, node=default_node(node) if database else "", revocation_bound=revocation_bound,
        drain_seconds=(DRAIN if database else 0.0) if drain is None else drain,
        audit_cluster=audit == "cluster", audit_copy_limit=audit_copy_limit,
        blobs_url=blobs, blobs_endpoint=blobs_endpoint, blobs_ca=blobs_ca and blobs_ca.absolute(),
        deletion_guard=deletion_guard, disabling_guard=disabling_guard,
        require_tls_for_sse=require_tls_for_sse, small_object_limit=small_objects,
    )  # fmt: skip
    check_together(settings)
    run(settings, passphrase_file)


def run(settings: Settings, passphrase_file: Path | None) -> None:
    """Read the passphrase if the root key needs one, and serve until SIGTERM.

    What keeps a node from joining its installation is said first; only a database that is away is waited for, later.
    """
    if settings.database_url:
        check_password(settings)
        with contextlib.suppress(DatabaseAway):
            join(settings)
    needed = bool(settings.database_url) or keyholding.needs_passphrase(settings)  # one seals that of an installation
    secret = passphrase.read(passphrase_file, needed=needed)
    asyncio.run(supervise(settings, secret, announce))


def check(account: str, proxy_hosts: list[str], tls: tuple[Path | None, Path | None]) -> None:
    """Raise FuinError for an option that would make a worker fail; `tls` is the certificate and its key."""
    if (tls[0] is None) != (tls[1] is None):
        raise FuinError("--tls-cert and --tls-key go together")
    check_account(account)
    check_proxy_hosts(proxy_hosts)


def check_together(settings: Settings) -> None:
    """Raise FuinError for an option that needs another one."""
    if settings.audit_cluster and not settings.node:
        raise FuinError("--audit cluster needs --database: an embedded server has one place for its log")
    if settings.require_tls_for_sse and not (settings.tls_cert or settings.tls_self_signed):
        raise FuinError("--require-tls-for-sse needs --tls-cert and --tls-key, or --tls-self-signed")


def announce(settings: Settings, url: str, access: RootAccess | None) -> None:
    """Print how to reach the server; the line `ready URL` comes last, for scripts."""
    lines = [
        f"Fuin serves KMS, S3, IAM and STS at {url}",
        f"  region {settings.region}   account {settings.account}   data {settings.data}",
        f"  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={settings.region}",
    ]
    if settings.tls_self_signed:
        lines.append(f"  export AWS_CA_BUNDLE={settings.data / 'tls' / 'cert.pem'}")
    if access is not None and access.secret is not None:
        lines += [
            "  The account's root access key, shown only now:",
            f"  export AWS_ACCESS_KEY_ID={access.access_key_id}",
            f"  export AWS_SECRET_ACCESS_KEY={access.secret.reveal().decode()}",
        ]
    lines.append(f"ready {url}")
    typer.echo("\n".join(lines))
