"""Blobs as objects of a bucket, on AWS or anything that speaks S3; docs/decisions/0021 has the reasons and figures.

PREFIX/blobs/ID                 a blob; one that is unfinished is a multipart upload of this key
PREFIX/orphans/GROUP/note.json  when a sweep has found orphans
PREFIX/orphans/GROUP/NAME       an empty object: the blob of this name is an orphan; its bytes stay in place
PREFIX/removed/NUMBER           the ids of blobs that were removed, and are kept for their readers for an hour
PREFIX/installation.json        the mark
"""
