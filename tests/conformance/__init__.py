"""ceph/s3-tests beside Fuin's server, and which of its tests fail for which reason; `make s3-conformance`."""
