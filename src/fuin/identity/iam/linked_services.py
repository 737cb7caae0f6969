"""The services whose service-linked roles can be made, and the names of the roles.

The name of a role does not follow from the name of its service: each service's guide says it, under "Using
service-linked roles". A service that is not in this table is refused. With a few services the caller can add a suffix,
so that one account has several roles of the service.
"""

from typing import NamedTuple


class Linked(NamedTuple):
    """A service-linked role's name, and whether it takes a suffix of the caller's."""

    role: str
    suffixed: bool = False


_FOR = "AWSServiceRoleFor"
_SCALING = f"{_FOR}ApplicationAutoScaling_"

LINKED = {
    f"{service}.amazonaws.com": linked
    for service, linked in {
        "access-analyzer": Linked(f"{_FOR}AccessAnalyzer"),
        "acm": Linked(f"{_FOR}CertificateManager"),
        "appmesh": Linked(f"{_FOR}AppMesh"),
        "autoscaling": Linked(f"{_FOR}AutoScaling", suffixed=True),
        "autoscaling-plans": Linked(f"{_FOR}AutoScalingPlans_EC2AutoScaling"),
        "backup": Linked(f"{_FOR}Backup"),
        "batch": Linked(f"{_FOR}Batch"),
        "cassandra.application-autoscaling": Linked(f"{_SCALING}CassandraTable"),
        "cks.kms": Linked(f"{_FOR}KeyManagementServiceCustomKeyStores"),
        "cloudtrail": Linked(f"{_FOR}CloudTrail"),
        "config": Linked(f"{_FOR}Config"),
        "connect": Linked(f"{_FOR}AmazonConnect", suffixed=True),
        "custom-resource.application-autoscaling": Linked(f"{_SCALING}CustomResource"),
        "dynamodb.application-autoscaling": Linked(f"{_SCALING}DynamoDBTable"),
        "ec2.application-autoscaling": Linked(f"{_SCALING}EC2SpotFleetRequest"),
        "ecs": Linked(f"{_FOR}ECS"),
        "ecs.application-autoscaling": Linked(f"{_SCALING}ECSService"),
        "eks": Linked(f"{_FOR}AmazonEKS"),
        "eks-fargate": Linked(f"{_FOR}AmazonEKSForFargate"),
        "eks-nodegroup": Linked(f"{_FOR}AmazonEKSNodegroup"),
        "elasticache": Linked(f"{_FOR}ElastiCache"),
        "elasticbeanstalk": Linked(f"{_FOR}ElasticBeanstalk"),
        "elasticfilesystem": Linked(f"{_FOR}AmazonElasticFileSystem"),
        "elasticloadbalancing": Linked(f"{_FOR}ElasticLoadBalancing"),
        "elasticmapreduce": Linked(f"{_FOR}EMRCleanup"),
        "emr-containers": Linked(f"{_FOR}AmazonEMRContainers"),
        "es": Linked(f"{_FOR}AmazonElasticsearchService"),
        "globalaccelerator": Linked(f"{_FOR}GlobalAccelerator"),
        "grafana": Linked(f"{_FOR}AmazonGrafana"),
        "guardduty": Linked(f"{_FOR}AmazonGuardDuty"),
        "imagebuilder": Linked(f"{_FOR}ImageBuilder"),
        "inspector2": Linked(f"{_FOR}AmazonInspector2"),
        "kafka": Linked(f"{_FOR}Kafka"),
        "kafkaconnect": Linked(f"{_FOR}KafkaConnect"),
        "lakeformation": Linked(f"{_FOR}LakeFormationDataAccess"),
        "lex": Linked(f"{_FOR}LexBots"),
        "lexv2": Linked(f"{_FOR}LexV2Bots", suffixed=True),
        "lightsail": Linked(f"{_FOR}Lightsail"),
        "logger.cloudfront": Linked(f"{_FOR}CloudFrontLogger"),
        "macie": Linked(f"{_FOR}AmazonMacie"),
        "memorydb": Linked(f"{_FOR}MemoryDB"),
        "mq": Linked(f"{_FOR}AmazonMQ"),
        "mrk.kms": Linked(f"{_FOR}KeyManagementServiceMultiRegionKeys"),
        "network-firewall": Linked(f"{_FOR}NetworkFirewall"),
        "opensearchservice": Linked(f"{_FOR}AmazonOpenSearchService"),
        "ops.apigateway": Linked(f"{_FOR}APIGateway"),
        "organizations": Linked(f"{_FOR}Organizations"),
        "pullthroughcache.ecr": Linked(f"{_FOR}ECRPullThroughCache"),
        "ram": Linked(f"{_FOR}ResourceAccessManager"),
        "rds": Linked(f"{_FOR}RDS"),
        "rds.application-autoscaling": Linked(f"{_SCALING}RDSCluster"),
        "redshift": Linked(f"{_FOR}Redshift"),
        "replication.dynamodb": Linked(f"{_FOR}DynamoDBReplication"),
        "replication.ecr": Linked(f"{_FOR}ECRReplication"),
        "replicator.lambda": Linked(f"{_FOR}LambdaReplicator"),
        "resource-explorer-2": Linked(f"{_FOR}ResourceExplorer"),
        "rolesanywhere": Linked(f"{_FOR}RolesAnywhere"),
        "securityhub": Linked(f"{_FOR}SecurityHub"),
        "ses": Linked(f"{_FOR}AmazonSES"),
        "shield": Linked(f"{_FOR}AWSShield"),
        "spot": Linked(f"{_FOR}EC2Spot"),
        "spotfleet": Linked(f"{_FOR}EC2SpotFleet"),
        "ssm": Linked(f"{_FOR}AmazonSSM"),
        "sso": Linked(f"{_FOR}SSO"),
        "storage-lens.s3": Linked(f"{_FOR}S3StorageLens"),
        "support": Linked(f"{_FOR}Support"),
        "transitgateway": Linked(f"{_FOR}VPCTransitGateway"),
        "trustedadvisor": Linked(f"{_FOR}TrustedAdvisor"),
        "waf": Linked(f"{_FOR}WAFLogging"),
        "wafv2": Linked(f"{_FOR}WAFV2Logging"),
    }.items()
}
