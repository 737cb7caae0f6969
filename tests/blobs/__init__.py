"""Tests of the stores of blobs: files, and buckets on S3."""
