"""A whole Fuin inside a test's own process: real keyholder, real database, real files, real HTTP.

For tests of programs that use AWS KMS, S3, IAM or STS, and for Fuin's own tests. The clients need boto3.
"""

from fuin.testing.kit.place import Place
from fuin.testing.kit.users import ACCOUNT, OTHER_ACCOUNT, REGION, User

__all__ = ["ACCOUNT", "OTHER_ACCOUNT", "REGION", "Place", "User"]
