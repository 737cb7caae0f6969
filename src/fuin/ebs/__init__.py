"""The EBS direct APIs: REST JSON, service `ebs`. Blocks go into snapshots and come out of them."""
