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


def _of_s3(names: str) -> frozenset[str]:
    return frozenset(f"s3:{name}" for name in names.split())


# All of S3's actions, by what they are on; those that Fuin has no operation for stand in policies all the same.
S3_OBJECT = _of_s3("""
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
S3_BUCKET = _of_s3("""
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
# On access points, jobs, the account and other things that are neither buckets nor objects.
S3_ELSEWHERE = _of_s3("""
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

# Operations whose action has another name: what people write, and what the operation needs.
S3_OPERATIONS = {
    "s3:completemultipartupload": "s3:PutObject",
    "s3:copyobject": "s3:GetObject and s3:PutObject",
    "s3:createmultipartupload": "s3:PutObject",
    "s3:deletebucketanalyticsconfiguration": "s3:PutAnalyticsConfiguration",
    "s3:deletebucketcors": "s3:PutBucketCORS",
    "s3:deletebucketencryption": "s3:PutEncryptionConfiguration",
    "s3:deletebucketintelligenttieringconfiguration": "s3:PutIntelligentTieringConfiguration",
    "s3:deletebucketinventoryconfiguration": "s3:PutInventoryConfiguration",
    "s3:deletebucketlifecycle": "s3:PutLifecycleConfiguration",
    "s3:deletebucketmetadataconfiguration": "s3:DeleteBucketMetadataTableConfiguration",
    "s3:deletebucketmetricsconfiguration": "s3:PutMetricsConfiguration",
    "s3:deletebucketownershipcontrols": "s3:PutBucketOwnershipControls",
    "s3:deletebucketreplication": "s3:PutReplicationConfiguration",
    "s3:deletebuckettagging": "s3:PutBucketTagging",
    "s3:deleteobjects": "s3:DeleteObject",
    "s3:deletepublicaccessblock": "s3:PutBucketPublicAccessBlock",
    "s3:getbucketaccelerateconfiguration": "s3:GetAccelerateConfiguration",
    "s3:getbucketanalyticsconfiguration": "s3:GetAnalyticsConfiguration",
    "s3:getbucketencryption": "s3:GetEncryptionConfiguration",
    "s3:getbucketintelligenttieringconfiguration": "s3:GetIntelligentTieringConfiguration",
    "s3:getbucketinventoryconfiguration": "s3:GetInventoryConfiguration",
    "s3:getbucketlifecycleconfiguration": "s3:GetLifecycleConfiguration",
    "s3:getbucketmetadataconfiguration": "s3:GetBucketMetadataTableConfiguration",
    "s3:getbucketmetricsconfiguration": "s3:GetMetricsConfiguration",
    "s3:getbucketnotificationconfiguration": "s3:GetBucketNotification",
    "s3:getbucketreplication": "s3:GetReplicationConfiguration",
    "s3:getobjectlockconfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:getpublicaccessblock": "s3:GetBucketPublicAccessBlock",
    "s3:headbucket": "s3:ListBucket",
    "s3:headobject": "s3:GetObject",
    "s3:listbucketanalyticsconfigurations": "s3:GetAnalyticsConfiguration",
    "s3:listbucketintelligenttieringconfigurations": "s3:GetIntelligentTieringConfiguration",
    "s3:listbucketinventoryconfigurations": "s3:GetInventoryConfiguration",
    "s3:listbucketmetricsconfigurations": "s3:GetMetricsConfiguration",
    "s3:listbuckets": "s3:ListAllMyBuckets",
    "s3:listmultipartuploads": "s3:ListBucketMultipartUploads",
    "s3:listobjects": "s3:ListBucket",
    "s3:listobjectsv2": "s3:ListBucket",
    "s3:listparts": "s3:ListMultipartUploadParts",
    "s3:putbucketaccelerateconfiguration": "s3:PutAccelerateConfiguration",
    "s3:putbucketencryption": "s3:PutEncryptionConfiguration",
    "s3:putbucketnotificationconfiguration": "s3:PutBucketNotification",
    "s3:putpublicaccessblock": "s3:PutBucketPublicAccessBlock",
    "s3:uploadpart": "s3:PutObject",
    "s3:uploadpartcopy": "s3:GetObject and s3:PutObject",
}
