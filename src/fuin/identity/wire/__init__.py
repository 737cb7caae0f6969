"""The Query protocol of IAM and STS: forms in, XML or JSON out, by the service models."""
