#!/usr/bin/env python3
"""Sends a message with boto3, is refused, records the opt-in and sends again.

Needs `headgate dev` and boto3. ENV_FILE and PHONE may be set; the number is fictional.
"""
import json
import os
import random
import shlex
import subprocess
import sys
import time
import uuid

import boto3

# The env file is KEY=VALUE lines that every AWS SDK understands.
ENV_FILE = os.environ.get("ENV_FILE", ".headgate/dev.env")
with open(ENV_FILE, encoding="utf-8") as lines:
    os.environ.update(line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
sqs = boto3.client("sqs", region_name=os.environ["AWS_REGION"], endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"])
# +1 613 555 0100 to 0199 is reserved for fiction.
PHONE = os.environ.get("PHONE", f"+16135550{random.randint(100, 199)}")


def send():
    """Puts one message on the utility lane; returns our id of it."""
    message_id = f"example-{uuid.uuid4()}"
    # The templates of this deployment, as purpose=name, comma-separated.
    templates = dict(pair.split("=", 1) for pair in os.environ["HEADGATE_DEV_TEMPLATES"].split(","))
    body = {
        "schema": "headgate.outbound/1",
        "id": message_id,
        "from": os.environ["HEADGATE_DEV_PHONE_NUMBER_ID"],
        "to": {"phone": PHONE, "ref": "customer-77"},
        "purpose": "utility",
        "message": {"type": "template", "template": {"name": templates["utility"], "language": {"code": "en_US"}}},
    }
    sqs.send_message(QueueUrl=os.environ["HEADGATE_QUEUE_UTILITY_URL"], MessageBody=json.dumps(body))
    return message_id


def wait_for(is_it, seconds=60):
    """Reads events until one fits; what was read is deleted, as an app does once it has acted on it."""
    queue, end = os.environ["HEADGATE_QUEUE_APP_EVENTS_URL"], time.monotonic() + seconds
    while time.monotonic() < end:
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MaxNumberOfMessages=10)
        found = None
        for received in answer.get("Messages", []):
            event = json.loads(received["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
            if is_it(event):
                print(event["type"], event.get("id", ""), event["data"].get("code", ""))
                found = found or event
        if found:
            return found
    sys.exit("no answer: is `headgate dev` running?")


def answer_to(message_id):
    return wait_for(lambda e: e.get("id") == message_id and e["type"] in ("message.refused", "message.failed", "message.delivered"))


event = answer_to(send())
if event["type"] == "message.refused" and event["data"]["code"] == "no_consent":
    print(event["data"]["message"], event["data"]["remedy"])
    command = shlex.split(event["data"]["command"])
    command[command.index("--env-file") + 1] = ENV_FILE
    print("$", shlex.join(command))
    # In a checkout the command line is run by cargo.
    subprocess.run(["cargo", "run", "--quiet", "--bin", "headgate", "--", *command[1:]], check=True)
    person = event["subject"]
    wait_for(lambda e: e.get("subject") == person and e["type"] in ("subject.opted_in", "consent.refused"))
    event = answer_to(send())
sys.exit(0 if event["type"] == "message.delivered" else f"{event['type']}: {event['data']}")
