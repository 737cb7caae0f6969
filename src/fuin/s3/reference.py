"""The reference page of the S3 operations, made of the tables of operations and of missing capabilities.

`python -m fuin.s3.reference docs/reference/s3-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fuin.access.vocabulary.missing_capabilities import BY_OPERATION, MISSING, Capability
from fuin.s3.operations import OPERATIONS
from fuin.s3.request.operation import BUCKET, OBJECT, S3Operation

_DIRECTORY = "ListDirectoryBuckets"  # asks for buckets of a kind that is not here, by the request of ListBuckets

_HEAD = """# S3 operations

Made by `python -m fuin.s3.reference` from the table of operations (`src/fuin/s3/operations.py`) and the table of
missing capabilities (`src/fuin/access/vocabulary/missing_capabilities.py`).

{built} of {all} operations of the service model are built, and POST Object, which is not in the model. Every other one
answers `NotImplemented` (501) at once. No request is mistaken for another one: a sub-resource that a method does not
know is `MethodNotAllowed` (405).

"""

_NOTES = """## What is different from AWS, or not built

* **S3 Bucket Keys**: with `BucketKeyEnabled` of a bucket, or the header of a request, KMS is asked once for each
  caller, bucket, KMS key and encryption context, and again after five minutes ([format](../formats/bucket-key.md)). KMS
  then sees the bucket's ARN as `aws:s3:arn`. Unlike on AWS, the right to the KMS key and the key's state are decided
  for every request, so a revocation counts at once, and every request has its own record. Each worker asks for itself.
  The pairs of `x-amz-server-side-encryption-context` join the bucket's ARN. Other schemes ignore the header.
* **DSSE-KMS** (`aws:kms:dsse`): two layers, each under a data key of its own ([format](../formats/two-layers.md)).
  Both data keys come from the KMS key, so a write asks KMS twice for GenerateDataKey and a read twice for Decrypt; on
  AWS the second layer's key is Amazon's. The checksum is stored in the clear, as with SSE-KMS, but given to nobody
  without the right to the KMS key; AWS stores it encrypted.
* **UpdateObjectEncryption** needs `kms:ReEncryptFrom` on the former key and `kms:ReEncryptTo` on the new one; AWS's
  page asks for `kms:Decrypt`, `kms:Encrypt` and `kms:GenerateDataKey` as well, which are needed here only where an S3
  Bucket Key comes or goes. The data key stays in the keyholder, so who re-wraps need not be able to read. Objects are
  under SSE-S3 or SSE-KMS, the new key is in the bucket's account, and locked objects are refused, as on AWS.
  [`fuin rewrap`](../how-to/rewrap-objects.md) does it for many objects. Its header `x-fuin-rewrap-from` (the ARN of a
  KMS key, and after a space perhaps the id of a key material) makes a request change only what depends on that, keep
  the scheme, and take DSSE-KMS ([decision 0028](../decisions/0028-rewrap.md)).
* **Tags**: a write that gives an object tags (`x-amz-tagging`) needs `s3:PutObjectTagging` too; a copy that takes tags
  along needs `s3:GetObjectTagging` of its source and `s3:PutObjectTagging`; a new bucket with tags needs
  `s3:TagResource`. GET and HEAD tell the number of tags to callers with `s3:GetObjectTagging`. Tagging an object is no
  change of rights that other nodes have to acknowledge: conditions read the object's tags from the database each time.
  Tags of buckets are stored and returned; policies do not see them (attribute-based access control is off).
* **SSE-C**: an object under a key that the client gives with each request ([format](../formats/customer-key.md)). New
  buckets block it, as on AWS since April 2026; `BlockedEncryptionTypes` with `NONE` allows it.
* **Forms** (POST Object): Signature Version 4, and without a signature where the bucket's policy lets everybody write.
  Version 2 is refused. The fields are those that AWS documents; all `x-amz-` fields mean what they mean as headers of
  PutObject, but `x-amz-copy-source` is refused. A `tagging` that is no Tagging document is `MalformedXML` (AWS stores
  no tags and says nothing). A header that says something else than the field is `InvalidRequest`; `If-Match` and
  `If-None-Match` may be headers. `starts-with` is taken for every field. [How to](../how-to/upload-from-a-browser.md).
* **CORS**: a bucket's rules decide what browsers hear, in preflights and in answers, as in AWS. A preflight for a
  missing bucket is answered as one for a bucket without rules, so that strangers do not learn which buckets exist.
* **Settings that are not set** (website, replication, logging, notifications, metrics
  and others) are answered as AWS answers them, and removing one succeeds as in AWS. Setting something that is
  not built answers `NotImplemented` and names it. Values that hold here anyway are accepted: no logging, no
  notifications, `Payer` BucketOwner, `Status` Disabled of attribute-based access control. Stored and returned are
  `Status` Suspended of transfer acceleration, `BucketOwnerEnforced`, and the public access block.
* **Public access block**: new buckets block all four, as on AWS since April 2023; buckets from before this version
  block nothing. `BlockPublicPolicy` refuses a public bucket policy; `RestrictPublicBuckets` lets such a policy allow
  nothing to other accounts and anonymous callers. AWS's user guide, "The meaning of 'public'", defines public; a policy
  in doubt is public. The two for ACLs always hold, since ACLs are off. There is no block for a whole account.
* **ACLs are off**, as on every new bucket of AWS. Reading one returns the owner's full control. `private`,
  `bucket-owner-read`, `bucket-owner-full-control` and full control for the owner alone are accepted (AWS refuses
  `private` in PutBucketAcl and PutObjectAcl, though it would change nothing). All others answer
  `AccessControlListNotSupported`, and for a new bucket `InvalidBucketAclWithObjectOwnership`. The canonical id of an
  account is its number. Removing the ownership controls is stored and returned, but turns no ACL on.
* **Storage classes are labels**: they are stored with an object and returned, also by lists. The bytes are in one place
  for all classes, and reading GLACIER and DEEP_ARCHIVE needs no restore. (`aws s3 cp` skips objects of these two
  classes without `--force-glacier-transfer`.)
* **Virtual hosting** is for the domains of `fuin serve --s3-domain`, and for `localhost`; requests to every other host
  are read in path style.
* **Encryption headers on the steps of a multipart upload** (UploadPart, UploadPartCopy, CompleteMultipartUpload) are
  accepted if they repeat those of its creation, as minio-go sends them; AWS accepts none. Others are refused.
* **Part numbers** may have gaps even in an upload with a composite checksum, where AWS answers `InvalidPartOrder`.
  `partNumber` of GET and HEAD is the number that the part was uploaded under.
* **Empty headers** that ask for something (tags, ACL, storage class, redirection, locks, Content-Type and similar) are
  ignored. Empty headers that protect (owner, digest, condition, encryption) are refused.
* **Metadata beyond ASCII** is returned as an encoded word (RFC 2047), as in AWS. Names and values in a presigned
  query must be valid in a header, else `InvalidArgument`.
* **A plus** in `x-amz-copy-source` is a space, as in AWS; in the path of a request it is a plus.
* **A source that is replaced again and again** while it is being opened makes GetObject, CopyObject and UploadPartCopy
  answer `SlowDown`, which SDKs try again.
* **Conditions**: an ETag may be a condition of each delete, also in DeleteObjects. Conditions by size or time, which
  AWS has for directory buckets, are `NotImplemented`.
* **Versions**: as on AWS, with delete markers and suspended buckets. A version id has 32 characters; an id of another
  form is `InvalidArgument`, and `NoSuchVersion` in DeleteObjects. A write follows the state of versioning at its
  commit, so it needs no 15 minutes after versioning was enabled. A list that goes on after a null version which is gone
  meanwhile begins with the newest version of its key again. Two deletions of one object without a version in one
  DeleteObjects make one delete marker. CreateMultipartUpload tells no version id. MFA delete is not built.
* **Object Lock**: as on AWS, in buckets with versions: retention in both modes, legal holds, a default of the bucket.
  A retention ends when its time has certainly come: a wall clock that is set forward ends none
  ([the steady time](../decisions/0009-a-steady-time-beside-the-wall-clock.md)). A year of a default has 365 days. A
  request with `x-amz-bypass-governance-retention` needs `s3:BypassGovernanceRetention`, also if nothing is locked.
  Event holds are not built. Anyone who has the database or the disk can delete all the same; see the threat model.
* **Lifecycle rules**: as on AWS, also in the older form with a prefix of the rule: objects, noncurrent versions, delete
  markers and uploads end at the midnight after their days ([how to](../how-to/expire-objects.md)). The server looks
  once a day, and when it starts. A wall clock that is set forward ends nothing, and locks protect. Transitions are
  `NotImplemented`. `NewerNoncurrentVersions` takes any positive number (documented by AWS: up to 100; recorded: more),
  and counts no delete markers. `x-amz-transition-default-minimum-object-size` is stored and returned.
* **Checksums**: all ten of the service model, as header or trailer. Those of CRC have a value for the whole of a
  multipart object; the others have composite ones. A write without a checksum stores CRC64NVME, as in AWS.
* **Creating one's own bucket again** answers 200, as in us-east-1, if the region is the same.
* **A multipart object's Last-Modified** is the time of its completion (AWS: of its start).
* **Plain HTTP** is accepted for SSE-KMS and SSE-C, where AWS requires TLS: Fuin listens on loopback by default. With
  `fuin serve --require-tls-for-sse` both are refused as AWS refuses them. (AWS's SDKs never send a customer key over
  plain HTTP.) Rights are asked for before it shows that a bucket's default or an object is under SSE-KMS.
* **Any region** may be in the signature, where AWS accepts only the bucket's. A bucket keeps the region in which it was
  made: that of its location constraint (which may differ from the signature's only for us-east-1, as in AWS), else that
  of the signature. Its keys are looked up there, and that is its `aws:RequestedRegion`.
* **Keys** hold at most 1,024 bytes of UTF-8; metadata 2 KB; one PUT, part or copy 5 GiB; documents 2 MiB.
"""


_MISSING = """
## Capabilities that are not here

A request that asks for one answers `NotImplemented` and changes nothing. That is so for requests with one of these
headers, for these operations, and for documents that ask for it. No request has the condition keys of these
capabilities: [condition keys](condition-keys.md) lists them.

| capability | headers | operations |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page as Markdown."""
    built = [row for row in OPERATIONS.values() if row.run is not None]
    modelled = [row for row in OPERATIONS.values() if row.is_modelled]
    count = sum(row.run is not None for row in modelled)
    lines = [_HEAD.format(built=count, all=len(modelled)) + "## Built\n"]
    lines += ["| operation | request | rights | right to the key, under SSE-KMS |", "| --- | --- | --- | --- |"]
    for row in built:
        actions, key_actions = ", ".join(row.actions), ", ".join(row.key_actions)
        lines.append(f"| {row.name} | `{_request(row)}` | {actions} | {key_actions} |")
    lines += ["", _NOTES + _MISSING + "\n".join(map(_missing_line, MISSING))]
    lines += ["", "## Not built\n", "| operation | request | |", "| --- | --- | --- |"]
    for row in OPERATIONS.values():
        if _is_missing(row):
            missing = BY_OPERATION.get(row.name)
            lines.append(f"| {row.name} | `{_request(row)}` | {f'{missing.subject} not built' if missing else ''} |")
    return "\n".join(lines) + "\n"


def _missing_line(row: Capability) -> str:
    headers = ", ".join(f"`{header.decode()}`" for header in row.headers)
    headers += ", ".join(f"`{start.decode()}…`" for start in row.prefixes)
    return f"| {row.title} | {headers} | {', '.join(row.operations)} |"


def _is_missing(row: S3Operation) -> bool:
    """Return whether nothing answers the operation's request; the newer of two names answers for the older one."""
    if row.name == _DIRECTORY or row.newer_name is None:
        return row.run is None
    return OPERATIONS[row.newer_name].run is None


def _request(row: S3Operation) -> str:
    path = {BUCKET: "/BUCKET", OBJECT: "/BUCKET/KEY"}.get(row.level, "/")
    query = "?" + "&".join(row.query) if row.query else ""
    headers = " with " + ", ".join(row.headers) if row.headers else ""
    return f"{row.method} {path}{query}{headers}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
