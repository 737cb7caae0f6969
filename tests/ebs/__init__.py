"""Tests of the EBS direct APIs and of the blocks of snapshots."""
