"""AWS's default quotas of IAM. IAM user guide, "IAM and AWS STS quotas"."""

USERS, GROUPS, ROLES, POLICIES, INSTANCE_PROFILES = 5000, 300, 1000, 1500, 1000  # in an account
ACCESS_KEYS, GROUPS_OF_USER = 2, 10  # of a user
ATTACHED = {"user": 10, "group": 10, "role": 10}
INLINE = {"user": 2048, "group": 5120, "role": 10240}  # characters in all, white space not counted
VERSIONS = 5
POLICY_SIZE, TRUST_POLICY_SIZE = 6144, 2048
