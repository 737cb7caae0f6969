"""Condition keys that are known, for warnings: a policy may name any, and one that no request brings is absent."""

# Keys that a request brings here, and keys that AWS would leave out as well for callers like ours (no organization, no
# VPC, no federation).
KEYS = frozenset({
    "aws:calledviafirst", "aws:calledvialast", "aws:federatedprovider", "aws:multifactorauthpresent",
    "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice", "aws:principalorgid",
    "aws:principalservicename", "aws:principaltype", "aws:requestedregion", "aws:securetransport", "aws:sourceaccount",
    "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpce", "aws:useragent",
    "aws:userid", "aws:username", "aws:viaawsservice", "aws:vpcsourceip",
    "kms:bypasspolicylockoutsafetycheck", "kms:calleraccount", "kms:datakeypairspec", "kms:encapsulationalgorithm",
    "kms:encryptionalgorithm", "kms:expirationmodel", "kms:grantconstraintsourcearn", "kms:grantconstrainttype",
    "kms:granteeprincipal", "kms:granteeserviceprincipal", "kms:grantisforawsresource", "kms:keyagreementalgorithm",
    "kms:keyorigin", "kms:keyspec", "kms:keyusage", "kms:macalgorithm", "kms:messagetype", "kms:multiregion",
    "kms:multiregionkeytype", "kms:policyname", "kms:primaryregion", "kms:reencryptonsamekey", "kms:replicaregion",
    "kms:requestalias", "kms:retiringprincipal", "kms:retiringserviceprincipal", "kms:signingalgorithm",
    "kms:viaservice", "kms:wrappingalgorithm", "kms:wrappingkeyspec",
    "s3:authtype", "s3:delimiter", "s3:max-keys", "s3:prefix", "s3:signatureversion", "s3:x-amz-acl",
    "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-metadata-directive", "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-storage-class",
})  # fmt: skip
KEY_FAMILIES = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "kms:encryptioncontext:")


def is_known(key: str) -> bool:
    """Tell whether a condition key, in any case, is one that some request may bring."""
    folded = key.lower()
    return folded in KEYS or any(folded.startswith(family) and folded != family for family in KEY_FAMILIES)
