"""IAM and STS in this process, and their clients."""
