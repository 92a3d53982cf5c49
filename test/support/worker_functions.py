"""Handlers of tests in the style of the articles: boto3 with nothing but its environment."""

import json
import os
import time

import boto3

sns = boto3.client("sns")
topic_arn = os.environ["TOPIC_ARN"]


def tasks(event, context):
    """Works off {"id", "do"?}; tells each that is done to a topic, and those that are not to its caller."""
    failures = []
    for record in event["Records"]:
        task = json.loads(record["body"])
        if task.get("do") == "throw":
            raise ValueError("cannot do task " + task["id"])
        if task.get("do") == "hang":
            time.sleep(600)
        if task.get("do") == "fail":
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        sns.publish(
            TargetArn=topic_arn,
            Message=json.dumps({"done": task["id"], "by": record["messageAttributes"]["user_id"]["stringValue"]}),
            MessageAttributes={"kind": {"DataType": "String", "StringValue": task.get("kind", "task")}},
        )
    return {"batchItemFailures": failures}
