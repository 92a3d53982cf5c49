"""Answers what users of the WebSocket send: what comes by SNS goes back by SNS, what comes by SQS by SQS."""
import json
import os

import boto3

PRESENCE = "lambda.presence.watchdog"


def handler(event, context):
    for record in event["Records"]:
        caller, source, message, reply = parse_record(record)
        request = answer_to(caller, source, message)
        if request is None:
            print(f"nothing to do for a message of {caller} by {source}")
        else:
            reply(json.dumps(request))


def parse_record(record):
    """Who a message is of stands in attributes that no client can set; its body may say anything."""
    if "Sns" in record:
        attributes = {name: it["Value"] for name, it in record["Sns"]["MessageAttributes"].items()}
        body, reply = record["Sns"]["Message"], publish
    else:
        attributes = {name: it["stringValue"] for name, it in record["messageAttributes"].items()}
        body, reply = record["body"], send
    return attributes["user_id"], attributes["source"], with_time(json.loads(body), attributes), reply


def with_time(message, attributes):
    return {**message, "timestamp": int(attributes["timestamp"])}


def answer_to(caller, source, message):
    if source == PRESENCE:
        return {"exclude_users": [caller], "data": {"type": "presence", "message": message["message"]}}
    if not source.startswith("apigw.route."):
        return None
    if message.get("type") == "get_connected_users":
        users = {"users": connected_users(caller)}
        return {"users": [caller], "data": {"type": "connected_users", "message": users}}
    if message.get("type") == "message":
        return chat(caller, message["message"], message["timestamp"])
    return None


def chat(caller, message, timestamp):
    data = {"type": "message", "message": {"text": message["text"], "user_id": caller, "timestamp": timestamp}}
    mode = message.get("push_mode")
    if mode == "UNICAST":
        return {"users": [caller], "data": data}
    if mode == "MULTICAST" and message.get("users"):
        return {"users": message["users"], "data": data}
    if mode == "BROADCAST":
        return {"exclude_users": [caller], "data": data}
    return None


def connected_users(caller):
    table = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS_TABLE"])
    rows = table.scan(
        FilterExpression="NOT(#user_id in (:id0))",
        ExpressionAttributeNames={"#user_id": "user_id"},
        ExpressionAttributeValues={":id0": caller},
    )["Items"]
    return sorted({row["user_id"] for row in rows})


def publish(request):
    boto3.client("sns").publish(TargetArn=os.environ["NOTIFICATIONS_TOPIC_ARN"], Message=request)


def send(request):
    boto3.client("sqs").send_message(QueueUrl=os.environ["NOTIFICATIONS_QUEUE_URL"], MessageBody=request)
