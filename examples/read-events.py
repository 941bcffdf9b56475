#!/usr/bin/env python3
"""Prints events as they come. Needs `headgate dev` and boto3; Ctrl-C ends it.

An app does its work where this prints, and deletes afterwards: what is not deleted comes again
after the visibility timeout, with the same event_id.
"""
import json
import os

import boto3

with open(os.environ.get("ENV_FILE", ".headgate/dev.env"), encoding="utf-8") as lines:
    os.environ.update(line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
sqs = boto3.client("sqs", region_name=os.environ["AWS_REGION"], endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"])
queue = os.environ["HEADGATE_QUEUE_APP_EVENTS_URL"]

seen = set()  # An app keeps this in its database.
try:
    while True:
        for received in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(received["Body"])
            if event["event_id"] not in seen:
                seen.add(event["event_id"])
                print(event["at"], event["type"], event.get("id", "-"), event.get("subject", "-"), json.dumps(event["data"]), flush=True)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
except KeyboardInterrupt:
    pass
