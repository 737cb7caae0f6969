"""Upload and download a file with boto3's transfers of the Common Runtime: BUCKET FILE TARGET."""

import sys

import boto3
from boto3.s3.transfer import TransferConfig

bucket, source, target = sys.argv[1:]
config = TransferConfig(preferred_transfer_client="crt")
s3 = boto3.client("s3")
s3.upload_file(source, bucket, "large.bin", Config=config)
s3.download_file(bucket, "large.bin", target, Config=config)
