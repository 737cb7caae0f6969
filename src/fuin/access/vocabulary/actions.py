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

# Actions without a particular key: only Resource "*" matches them.
KEYLESS = frozenset({
    "kms:connectcustomkeystore", "kms:createcustomkeystore", "kms:createkey", "kms:deletecustomkeystore",
    "kms:describecustomkeystores", "kms:disconnectcustomkeystore", "kms:generaterandom", "kms:listaliases",
    "kms:listkeys", "kms:listretirablegrants", "kms:updatecustomkeystore",
})  # fmt: skip
S3_KEYLESS = frozenset({"s3:listallmybuckets"})
# Service Authorization Reference, "Amazon EC2".
EC2_KEYLESS = frozenset({
    "ec2:describeavailabilityzones", "ec2:describeregions", "ec2:describesnapshots", "ec2:describetags",
    "ec2:describevolumes", "ec2:describevolumesmodifications", "ec2:describevolumestatus",
    "ec2:disableebsencryptionbydefault", "ec2:enableebsencryptionbydefault", "ec2:getebsdefaultkmskeyid",
    "ec2:getebsencryptionbydefault", "ec2:modifyebsdefaultkmskeyid", "ec2:resetebsdefaultkmskeyid",
})  # fmt: skip


def _s3_actions(names: str) -> frozenset[str]:
    return frozenset(f"s3:{name}" for name in names.split())


# All of S3's actions, by the kind of their resource. Policies may name all of them, also those of missing operations.
S3_OBJECT = _s3_actions("""
    abortmultipartupload bypassgovernanceretention deleteobject deleteobjectannotation deleteobjecttagging
    deleteobjectversion deleteobjectversionannotation deleteobjectversiontagging getobject getobjectacl
    getobjectannotation getobjectattributes getobjectlegalhold getobjectretention getobjecttagging getobjecttorrent
    getobjectversion getobjectversionacl getobjectversionannotation getobjectversionannotationforreplication
    getobjectversionattributes getobjectversionforreplication getobjectversiontagging getobjectversiontorrent
    initiatereplication listmultipartuploadparts listobjectannotations listobjectversionannotations
    objectowneroverridetobucketowner putobject putobjectacl putobjectannotation putobjectlegalhold
    putobjectretention putobjecttagging putobjectversionacl putobjectversionannotation putobjectversiontagging
    replicatedelete replicateobject replicateobjectannotation replicatetags restoreobject updateobjectencryption
""")
S3_BUCKET = _s3_actions("""
    allowvendedlogdeliveryforresource createbucket createbucketmetadatatableconfiguration deletebucket
    deletebucketmetadatatableconfiguration deletebucketpolicy deletebucketwebsite getaccelerateconfiguration
    getanalyticsconfiguration getbucketabac getbucketacl getbucketcors getbucketlocation getbucketlogging
    getbucketmetadatatableconfiguration getbucketnotification getbucketobjectlockconfiguration
    getbucketownershipcontrols getbucketpolicy getbucketpolicystatus getbucketpublicaccessblock
    getbucketrequestpayment getbuckettagging getbucketversioning getbucketwebsite getencryptionconfiguration
    getintelligenttieringconfiguration getinventoryconfiguration getlifecycleconfiguration getmetricsconfiguration
    getreplicationconfiguration listbucket listbucketmultipartuploads listbucketversions listtagsforresource
    pausereplication putaccelerateconfiguration putanalyticsconfiguration putbucketabac putbucketacl putbucketcors
    putbucketlogging putbucketnotification putbucketobjectlockconfiguration putbucketownershipcontrols
    putbucketpolicy putbucketpublicaccessblock putbucketrequestpayment putbuckettagging putbucketversioning
    putbucketwebsite putencryptionconfiguration putintelligenttieringconfiguration putinventoryconfiguration
    putlifecycleconfiguration putmetricsconfiguration putreplicationconfiguration tagresource untagresource
    updatebucketmetadataannotationtableconfiguration updatebucketmetadatainventorytableconfiguration
    updatebucketmetadatajournaltableconfiguration
""")
# Actions on access points, jobs, the account and other resources that are neither buckets nor objects.
S3_ELSEWHERE = _s3_actions("""
    associateaccessgrantsidentitycenter createaccessgrant createaccessgrantsinstance createaccessgrantslocation
    createaccesspoint createaccesspointforobjectlambda createjob createmultiregionaccesspoint createstoragelensgroup
    deleteaccessgrant deleteaccessgrantsinstance deleteaccessgrantsinstanceresourcepolicy deleteaccessgrantslocation
    deleteaccesspoint deleteaccesspointforobjectlambda deleteaccesspointpolicy
    deleteaccesspointpolicyforobjectlambda deletejobtagging deletemultiregionaccesspoint
    deletestoragelensconfiguration deletestoragelensconfigurationtagging deletestoragelensgroup describejob
    describemultiregionaccesspointoperation dissociateaccessgrantsidentitycenter getaccessgrant
    getaccessgrantsinstance getaccessgrantsinstanceforprefix getaccessgrantsinstanceresourcepolicy
    getaccessgrantslocation getaccesspoint getaccesspointconfigurationforobjectlambda getaccesspointforobjectlambda
    getaccesspointpolicy getaccesspointpolicyforobjectlambda getaccesspointpolicystatus
    getaccesspointpolicystatusforobjectlambda getaccountpublicaccessblock getdataaccess getjobtagging
    getmultiregionaccesspoint getmultiregionaccesspointpolicy getmultiregionaccesspointpolicystatus
    getmultiregionaccesspointroutes getstoragelensconfiguration getstoragelensconfigurationtagging
    getstoragelensdashboard getstoragelensgroup listaccessgrants listaccessgrantsinstances listaccessgrantslocations
    listaccesspoints listaccesspointsforobjectlambda listallmybuckets listcalleraccessgrants listjobs
    listmultiregionaccesspoints liststoragelensconfigurations liststoragelensgroups
    putaccessgrantsinstanceresourcepolicy putaccesspointconfigurationforobjectlambda putaccesspointpolicy
    putaccesspointpolicyforobjectlambda putaccesspointpublicaccessblock putaccountpublicaccessblock putjobtagging
    putmultiregionaccesspointpolicy putstoragelensconfiguration putstoragelensconfigurationtagging
    submitmultiregionaccesspointroutes updateaccessgrantslocation updatejobpriority updatejobstatus
    updatestoragelensgroup
""")
S3 = S3_OBJECT | S3_BUCKET | S3_ELSEWHERE

# The actions of operations that do not have the name of their only action. Words after an action say which other
# resource it is on.
_S3_ACTIONS_OF: dict[str, tuple[str, ...]] = {
    "CompleteMultipartUpload": ("s3:PutObject",),
    "CopyObject": ("s3:PutObject", "s3:GetObject of the source"),
    "CreateMultipartUpload": ("s3:PutObject",),
    "DeleteBucketAnalyticsConfiguration": ("s3:PutAnalyticsConfiguration",),
    "DeleteBucketCors": ("s3:PutBucketCORS",),
    "DeleteBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "DeleteBucketIntelligentTieringConfiguration": ("s3:PutIntelligentTieringConfiguration",),
    "DeleteBucketInventoryConfiguration": ("s3:PutInventoryConfiguration",),
    "DeleteBucketLifecycle": ("s3:PutLifecycleConfiguration",),
    "DeleteBucketMetadataConfiguration": ("s3:DeleteBucketMetadataTableConfiguration",),
    "DeleteBucketMetricsConfiguration": ("s3:PutMetricsConfiguration",),
    "DeleteBucketOwnershipControls": ("s3:PutBucketOwnershipControls",),
    "DeleteBucketReplication": ("s3:PutReplicationConfiguration",),
    "DeleteBucketTagging": ("s3:PutBucketTagging",),
    "DeleteObjects": ("s3:DeleteObject of each object",),
    "DeletePublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "GetBucketAccelerateConfiguration": ("s3:GetAccelerateConfiguration",),
    "GetBucketAnalyticsConfiguration": ("s3:GetAnalyticsConfiguration",),
    "GetBucketCors": ("s3:GetBucketCORS",),
    "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "GetBucketIntelligentTieringConfiguration": ("s3:GetIntelligentTieringConfiguration",),
    "GetBucketInventoryConfiguration": ("s3:GetInventoryConfiguration",),
    "GetBucketLifecycle": ("s3:GetLifecycleConfiguration",),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "GetBucketMetadataConfiguration": ("s3:GetBucketMetadataTableConfiguration",),
    "GetBucketMetricsConfiguration": ("s3:GetMetricsConfiguration",),
    "GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
    "GetBucketReplication": ("s3:GetReplicationConfiguration",),
    "GetObjectAttributes": ("s3:GetObjectAttributes", "s3:GetObject"),
    "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
    "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "HeadBucket": ("s3:ListBucket",),
    "HeadObject": ("s3:GetObject",),
    "ListBucketAnalyticsConfigurations": ("s3:GetAnalyticsConfiguration",),
    "ListBucketIntelligentTieringConfigurations": ("s3:GetIntelligentTieringConfiguration",),
    "ListBucketInventoryConfigurations": ("s3:GetInventoryConfiguration",),
    "ListBucketMetricsConfigurations": ("s3:GetMetricsConfiguration",),
    "ListBuckets": ("s3:ListAllMyBuckets",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "ListObjects": ("s3:ListBucket",),
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "PutBucketAccelerateConfiguration": ("s3:PutAccelerateConfiguration",),
    "PutBucketCors": ("s3:PutBucketCORS",),
    "PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "PutBucketLifecycle": ("s3:PutLifecycleConfiguration",),
    "PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
    "PutObjectLockConfiguration": ("s3:PutBucketObjectLockConfiguration",),
    "PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "PostObject": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "UploadPartCopy": ("s3:PutObject", "s3:GetObject of the source"),
}


# The action on a version that a request names by its id, where the action on the newest one is another.
S3_VERSION_ACTIONS = {
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
    "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
}


def s3_actions_of(operation: str) -> tuple[str, ...]:
    """Return the actions that an operation of S3 needs; the one on the request's own target is first."""
    needed = _S3_ACTIONS_OF.get(operation, (f"s3:{operation}",))
    names = [action.partition(" ")[0] for action in needed]
    return (*needed, *(f"{S3_VERSION_ACTIONS[name]} of a version" for name in names if name in S3_VERSION_ACTIONS))


# Names of operations that people write as actions although no such action exists (in lower case), and the action that
# each operation needs.
S3_OPERATIONS = {
    f"s3:{operation.lower()}": " and ".join(sorted(action.partition(" ")[0] for action in needed))
    for operation, needed in _S3_ACTIONS_OF.items()
    if f"s3:{operation.lower()}" not in S3
}
