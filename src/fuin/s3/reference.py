"""The reference page of the S3 operations, made of the routes and the table of what is built.

`python -m fuin.s3.reference docs/reference/s3-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fuin.s3 import subresources
from fuin.s3.operations import BUILT
from fuin.s3.routes import BUCKET, OBJECT, ROUTES, TWINS, Route
from fuin.s3.subresource_table import NOT_BUILT

# The IAM actions that each built operation asks for.
ACTIONS: dict[str, tuple[str, ...]] = {
    **{operation: (action,) for operation, action in subresources.actions().items()},
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "CopyObject": ("s3:PutObject", "s3:GetObject of the source"),
    "CreateBucket": ("s3:CreateBucket",),
    "CreateMultipartUpload": ("s3:PutObject",),
    "DeleteBucket": ("s3:DeleteBucket",),
    "DeleteBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "DeleteBucketPolicy": ("s3:DeleteBucketPolicy",),
    "DeleteObject": ("s3:DeleteObject",),
    "DeleteObjects": ("s3:DeleteObject of each object",),
    "GetBucketAcl": ("s3:GetBucketAcl",),
    "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "GetBucketLocation": ("s3:GetBucketLocation",),
    "GetBucketPolicy": ("s3:GetBucketPolicy",),
    "GetBucketPolicyStatus": ("s3:GetBucketPolicyStatus",),
    "GetObject": ("s3:GetObject",),
    "GetObjectAcl": ("s3:GetObjectAcl",),
    "GetObjectAttributes": ("s3:GetObject", "s3:GetObjectAttributes"),
    "HeadBucket": ("s3:ListBucket",),
    "HeadObject": ("s3:GetObject",),
    "ListBuckets": ("s3:ListAllMyBuckets",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "ListObjects": ("s3:ListBucket",),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "PutBucketAcl": ("s3:PutBucketAcl",),
    "PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "PutBucketPolicy": ("s3:PutBucketPolicy",),
    "PutObject": ("s3:PutObject",),
    "PutObjectAcl": ("s3:PutObjectAcl",),
    "UploadPart": ("s3:PutObject",),
    "UploadPartCopy": ("s3:PutObject", "s3:GetObject of the source"),
}

# What SSE-KMS asks of the caller's right to the key.
KEY_ACTIONS: dict[str, str] = {
    "CompleteMultipartUpload": "kms:Decrypt where checksums are sent",
    "CopyObject": "kms:Decrypt for the source, kms:GenerateDataKey for the copy",
    "CreateMultipartUpload": "kms:GenerateDataKey",
    "GetObject": "kms:Decrypt",
    "GetObjectAttributes": "kms:Decrypt where the checksum is asked for",
    "HeadObject": "kms:Decrypt where the checksum is asked for",
    "ListParts": "kms:Decrypt",
    "PutObject": "kms:GenerateDataKey",
    "UploadPart": "kms:Decrypt",
    "UploadPartCopy": "kms:Decrypt, for the source and for the upload",
}

_DIRECTORY = "ListDirectoryBuckets"  # asks for buckets of a kind that is not here, by the request of ListBuckets

_HEAD = """# S3 operations

Made by `python -m fuin.s3.reference` of the routes (`src/fuin/s3/routes.py`) and the table of what is built
(`src/fuin/s3/operations.py`).

{built} of {all} operations of the service model are built. Every other one answers `NotImplemented` (501) at once, and
nothing is ever taken for something else: a sub-resource that a method does not know is `MethodNotAllowed` (405).

"""

_NOTES = """## What is different from AWS, or not built

* **Every object has a data key of its own.** `BucketKeyEnabled` is kept and given back, since clients and Terraform
  send it, but no answer ever claims a bucket key, and KMS always sees the object's ARN in the encryption context.
* **SSE-C** (customer-provided keys) and **aws:kms:dsse** answer `NotImplemented` and store nothing.
* **Settings that are not set** are answered as AWS answers them, and removing one that is not set succeeds as it does
  there: tags, CORS, lifecycle, website, replication, Object Lock, logging, notifications, metrics and the like. Setting
  what is not built answers `NotImplemented` and names it. What holds here anyway is taken: no tags, no logging, no
  notifications, `Payer` BucketOwner, `Status` Disabled of attribute-based access control; and kept and given back:
  `Status` Suspended of versioning and of transfer acceleration, `BucketOwnerEnforced`, the public access block.
* **Public access block**: new buckets block all four, as on AWS since April 2023; buckets from before this version have
  none. `BlockPublicPolicy` refuses a public bucket policy, `RestrictPublicBuckets` keeps what one allows from other
  accounts and anonymous callers; what public means is in AWS's user guide, "The meaning of 'public'", and a policy in
  doubt is public. The two on ACLs hold either way, since there are none. There is no block of a whole account.
* **ACLs are off**, as on every new bucket of AWS. Reading one gives the owner's full control. `private`,
  `bucket-owner-read`, `bucket-owner-full-control` and full control for the owner alone are taken (AWS refuses `private`
  in PutBucketAcl and PutObjectAcl, though it would change nothing); all others answer `AccessControlListNotSupported`,
  and for a new bucket `InvalidBucketAclWithObjectOwnership`. The canonical id of an account is its number. Removing the
  ownership controls is kept and given back, and turns no ACL on.
* **Storage classes are labels**: kept with an object and given back, also by lists. The bytes lie in one place whatever
  the class, and reading GLACIER and DEEP_ARCHIVE needs no restore. (`aws s3 cp` passes over objects with these two
  classes unless it is given `--force-glacier-transfer`.)
* **Virtual hosting** is for the domains that `fuin serve --s3-domain` names, and for `localhost`; every other host is
  read in path style.
* **Encryption headers on the steps of a multipart upload** (UploadPart, UploadPartCopy, CompleteMultipartUpload) are
  taken when they repeat what it was created with, as minio-go sends them; AWS takes none. Others are refused.
* **Part numbers** may have gaps also in an upload with a composite checksum, where AWS answers `InvalidPartOrder`.
  `partNumber` of GET and HEAD is the number that the part was uploaded under.
* **Empty headers** that ask for something (tags, ACL, storage class, redirection, locks, Content-Type and its kin) are
  none. Those that protect (owner, digest, condition, encryption) are refused when they are empty.
* **Metadata beyond ASCII** is given back as an encoded word (RFC 2047), as in AWS. Names and values in a presigned
  query must be such as a header can hold, else `InvalidArgument`.
* **A plus** in `x-amz-copy-source` is a space, as in AWS; in the path of a request it is a plus.
* **A source that is replaced all the time** while it is being opened makes GetObject, CopyObject and UploadPartCopy
  answer `SlowDown`, which SDKs try again.
* **Conditions**: `If-Match` on a delete of one object; on DeleteObjects, and by size or time, `NotImplemented`.
* **Versions**: buckets are never versioned; only `versionId=null` is taken. A bucket with `Suspended` keeps no delete
  markers, as a bucket of AWS would: a deleted object is gone, as there, but leaves no trace in the bucket.
* **Tags, Object Lock, website redirection, appending and HTML form uploads** answer `NotImplemented`.
* **Checksums**: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256, as header or trailer; SHA512, MD5 and XXHASH answer
  `NotImplemented`. A write without any keeps CRC64NVME, as in AWS.
* **Making one's own bucket again** answers 200, as in us-east-1, if the region is the same.
* **A multipart object's Last-Modified** is the time of its completion (AWS: of its start).
* **Plain http** is taken for SSE-KMS; AWS demands TLS. Fuin listens on loopback unless told otherwise.
* **Any region** may stand in the signature, where AWS takes the bucket's only. A bucket keeps the region it was made
  for: that of its location constraint (another than the signature's only where us-east-1 was signed for, as in AWS),
  else that of the signature. Its keys are looked for there, and that is its `aws:RequestedRegion`.
* **Keys** hold at most 1,024 bytes of UTF-8; metadata 2 KB; one PUT, part or copy 5 GiB; documents 2 MiB.
"""


def page() -> str:
    """Return the page as Markdown."""
    built = [route for route in ROUTES if route.operation in BUILT]
    later = [route for route in ROUTES if _is_missing(route.operation)]
    lines = [_HEAD.format(built=len(built), all=len(ROUTES)) + "## Built\n"]
    lines += ["| operation | request | rights | right to the key, under SSE-KMS |", "| --- | --- | --- | --- |"]
    for route in built:
        rights = ", ".join(ACTIONS[route.operation])
        lines.append(f"| {route.operation} | `{_shown(route)}` | {rights} | {KEY_ACTIONS.get(route.operation, '')} |")
    lines += ["", _NOTES + "\n## Not built\n", "| operation | request | |", "| --- | --- | --- |"]
    for route in later:
        what = NOT_BUILT.get(route.operation)
        lines.append(f"| {route.operation} | `{_shown(route)}` | {f'{what} not built' if what else ''} |")
    return "\n".join(lines) + "\n"


def _is_missing(operation: str) -> bool:
    """Tell whether nothing answers the operation's request; older names of a request are answered by the newer one."""
    same_request = operation in TWINS and operation != _DIRECTORY
    return operation not in BUILT and not (same_request and TWINS[operation] in BUILT)


def _shown(route: Route) -> str:
    path = {BUCKET: "/BUCKET", OBJECT: "/BUCKET/KEY"}.get(route.level, "/")
    query = "?" + "&".join(route.query) if route.query else ""
    headers = " with " + ", ".join(route.headers) if route.headers else ""
    return f"{route.method} {path}{query}{headers}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
