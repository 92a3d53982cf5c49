"""Functions of Python, as backends of AWS have them."""

import json

import boto3


def echo(event, context):
    print("python got it")
    return {"event": event, "id": context.aws_request_id}


def fails(event, context):
    raise ValueError("no good")


def chat(event, context):
    """Says to the connection itself what it has said, as backends of WebSocket APIs do."""
    place = event["requestContext"]
    if place["eventType"] == "MESSAGE":
        endpoint = f"http://{place['domainName']}/{place['stage']}"
        api = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint)
        said = {"said": json.loads(event["body"])["text"], "by": place["authorizer"]["principalId"]}
        api.post_to_connection(ConnectionId=place["connectionId"], Data=json.dumps(said))
    return {"statusCode": 200}
