"""The webhook's work in Python with boto3: verify, queue, answer. Runs under awslambdaric, as on Lambda.

A baseline, written as one would write it for production: one client for all invocations, connections
kept open, a comparison in constant time, large bodies compressed. The secret comes from the
environment, which costs less than what the measured function does.
"""

import base64
import gzip
import hmac
import json
import os

import boto3
from botocore.config import Config

SECRET = os.environ["APP_SECRET"].encode()
QUEUE = os.environ["QUEUE_URL"]
LARGEST_MESSAGE = 900 * 1024

sqs = boto3.client(
    "sqs",
    config=Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 4},
        tcp_keepalive=True,
    ),
)


def answer(status):
    return {"statusCode": status, "headers": {"Cache-Control": "no-store"}, "body": ""}


def queue_message(body):
    """The body as it is where it fits, else compressed."""
    if len(body) <= LARGEST_MESSAGE:
        return {"MessageBody": body.decode()}
    # The fastest level: it is the CPU that is compared.
    packed = base64.b64encode(gzip.compress(body, compresslevel=1)).decode()
    encoding = {"DataType": "String", "StringValue": "gzip+base64"}
    return {"MessageBody": packed, "MessageAttributes": {"encoding": encoding}}


def handler(event, _context):
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    body = event["body"] or ""
    body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    wanted = "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
    given = headers.get("x-hub-signature-256", "")
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        return answer(401)
    sqs.send_message(QueueUrl=QUEUE, **queue_message(body))
    print(json.dumps({"level": "INFO", "event": "notification_queued", "bytes": len(body)}))
    return answer(200)
