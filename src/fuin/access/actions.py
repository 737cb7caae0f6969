"""Names of actions, in lower case. Source: AWS, Service Authorization Reference, pages of KMS and S3."""

KMS = frozenset({
    "kms:cancelkeydeletion", "kms:connectcustomkeystore", "kms:createalias", "kms:createcustomkeystore",
    "kms:creategrant", "kms:createkey", "kms:decapsulate", "kms:decrypt", "kms:deletealias",
    "kms:deletecustomkeystore", "kms:deleteimportedkeymaterial", "kms:derivesharedsecret",
    "kms:describecustomkeystores", "kms:describekey", "kms:disablekey", "kms:disablekeyrotation",
    "kms:disconnectcustomkeystore", "kms:enablekey", "kms:enablekeyrotation", "kms:encapsulate", "kms:encrypt",
    "kms:generatedatakey", "kms:generatedatakeypair", "kms:generatedatakeypairwithoutplaintext",
    "kms:generatedatakeywithoutplaintext", "kms:generatemac", "kms:generaterandom", "kms:getkeylastusage",
    "kms:getkeypolicy", "kms:getkeyrotationstatus", "kms:getparametersforimport", "kms:getpublickey",
    "kms:importkeymaterial", "kms:listaliases", "kms:listgrants", "kms:listkeypolicies", "kms:listkeyrotations",
    "kms:listkeys", "kms:listresourcetags", "kms:listretirablegrants", "kms:putkeypolicy", "kms:reencryptfrom",
    "kms:reencryptto", "kms:replicatekey", "kms:retiregrant", "kms:revokegrant", "kms:rotatekeyondemand",
    "kms:schedulekeydeletion", "kms:sign", "kms:synchronizemultiregionkey", "kms:tagresource", "kms:untagresource",
    "kms:updatealias", "kms:updatecustomkeystore", "kms:updatekeydescription", "kms:updateprimaryregion",
    "kms:verify", "kms:verifymac",
})  # fmt: skip

# Actions on no particular key: only Resource "*" matches them.
KEYLESS = frozenset({
    "kms:connectcustomkeystore", "kms:createcustomkeystore", "kms:createkey", "kms:deletecustomkeystore",
    "kms:describecustomkeystores", "kms:disconnectcustomkeystore", "kms:generaterandom", "kms:listaliases",
    "kms:listkeys", "kms:listretirablegrants", "kms:updatecustomkeystore",
})  # fmt: skip
S3_KEYLESS = frozenset({"s3:listallmybuckets"})

S3_OBJECT = frozenset({
    "s3:abortmultipartupload", "s3:deleteobject", "s3:deleteobjecttagging", "s3:deleteobjectversion", "s3:getobject",
    "s3:getobjectacl", "s3:getobjectattributes", "s3:getobjecttagging", "s3:getobjectversion",
    "s3:listmultipartuploadparts", "s3:putobject", "s3:putobjectacl", "s3:putobjecttagging", "s3:restoreobject",
})  # fmt: skip
S3_BUCKET = frozenset({
    "s3:createbucket", "s3:deletebucket", "s3:deletebucketpolicy", "s3:getbucketlocation", "s3:getbucketpolicy",
    "s3:getbucketversioning", "s3:getencryptionconfiguration", "s3:listbucket", "s3:listbucketmultipartuploads",
    "s3:listbucketversions", "s3:putbucketpolicy", "s3:putbucketversioning", "s3:putencryptionconfiguration",
})  # fmt: skip

# Operations whose action has another name: what people write, and what the operation needs.
S3_OPERATIONS = {
    "s3:completemultipartupload": "s3:PutObject",
    "s3:copyobject": "s3:GetObject and s3:PutObject",
    "s3:createmultipartupload": "s3:PutObject",
    "s3:deletebucketencryption": "s3:PutEncryptionConfiguration",
    "s3:deleteobjects": "s3:DeleteObject",
    "s3:getbucketencryption": "s3:GetEncryptionConfiguration",
    "s3:headbucket": "s3:ListBucket",
    "s3:headobject": "s3:GetObject",
    "s3:listbuckets": "s3:ListAllMyBuckets",
    "s3:listmultipartuploads": "s3:ListBucketMultipartUploads",
    "s3:listobjects": "s3:ListBucket",
    "s3:listobjectsv2": "s3:ListBucket",
    "s3:listparts": "s3:ListMultipartUploadParts",
    "s3:putbucketencryption": "s3:PutEncryptionConfiguration",
    "s3:uploadpart": "s3:PutObject",
    "s3:uploadpartcopy": "s3:GetObject and s3:PutObject",
}
