"""A server that speaks S3, on loopback, for tests: buckets, multipart uploads, roles by STS."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start it, and let the vendor's own variables point to it. Gives its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        patch.setenv(name, value)
    try:
        yield url
    finally:
        server.stop()


def make_bucket(url: str, name: str, region: str = REGION) -> None:
    client = boto3.client("s3", endpoint_url=url, region_name=region)
    if name not in {each["Name"] for each in client.list_buckets()["Buckets"]}:  # one store a process
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})


def objects(url: str, bucket: str) -> dict[str, bytes]:
    """Give all objects of a bucket by key."""
    client = boto3.client("s3", endpoint_url=url, region_name=REGION)
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
