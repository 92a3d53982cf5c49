import { describe, expect, it } from "vitest";
import { capturedRequests } from "../../../test/support/aws-captures.ts";
import { addressOf } from "./address.ts";
import { AwsError } from "./errors.ts";
import { guessedTarget, isOfAws, targetOf } from "./routing.ts";

const form = "application/x-www-form-urlencoded; charset=utf-8";
const signed = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=AKTEST/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;

describe("the AWS door", () => {
  it("knows every request of real clients, and what it is for", () => {
    const targets = ["boto126", "boto143", "js", "envjs", "art126", "art143"].flatMap((client) =>
      capturedRequests(client).map(({ method, url, rawHeaders, body }) => {
        const headers = Object.fromEntries(
          rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1] ?? ""]] : [])),
        );
        expect(isOfAws({ method, url, headers }), url).toBe(true);
        const { service, wire, action } = targetOf({ headers }, addressOf(url), new URLSearchParams(body));
        expect(headers.authorization).toContain(`/us-east-1/${service}/aws4_request`);
        return `${service} ${wire} ${action}`;
      }),
    );
    expect([...new Set(targets)].sort()).toMatchInlineSnapshot(`
      [
        "dynamodb json BatchWriteItem",
        "dynamodb json PutItem",
        "dynamodb json Query",
        "dynamodb json Scan",
        "execute-api rest ",
        "sns query CreateTopic",
        "sns query GetTopicAttributes",
        "sns query ListSubscriptionsByTopic",
        "sns query ListTopics",
        "sns query Publish",
        "sns query PublishBatch",
        "sns query Subscribe",
        "sns query Unsubscribe",
        "sqs json ChangeMessageVisibility",
        "sqs json CreateQueue",
        "sqs json DeleteMessage",
        "sqs json DeleteMessageBatch",
        "sqs json GetQueueAttributes",
        "sqs json GetQueueUrl",
        "sqs json ListQueues",
        "sqs json ReceiveMessage",
        "sqs json SendMessage",
        "sqs json SendMessageBatch",
        "sqs query ChangeMessageVisibility",
        "sqs query CreateQueue",
        "sqs query DeleteMessage",
        "sqs query DeleteMessageBatch",
        "sqs query GetQueueAttributes",
        "sqs query GetQueueUrl",
        "sqs query ListQueues",
        "sqs query ReceiveMessage",
        "sqs query SendMessage",
        "sqs query SendMessageBatch",
      ]
    `);
  });

  it.each<[string, { method?: string; url: string; headers?: Record<string, string> }]>([
    ["a target", { url: "/", headers: { "x-amz-target": "AmazonSSM.GetParameter" } }],
    ["a form", { url: "/", headers: { "content-type": form } }],
    ["a form to a queue", { url: "/000000000000/orders", headers: { "content-type": form } }],
    ["an action in the address", { method: "GET", url: "/?Action=ListQueues&Version=2012-11-05" }],
    [
      "a signature, wherever it goes",
      { method: "GET", url: "/2021-10-31/functions/x", headers: { authorization: signed("lambda") } },
    ],
    ["a presigned address", { method: "GET", url: "/?X-Amz-Algorithm=AWS4-HMAC-SHA256" }],
    ["a connection", { method: "DELETE", url: "/prod/@connections/abc%3D" }],
    ["an escaped connection", { method: "GET", url: "/%40connections/abc=" }],
    ["a function", { url: "/2015-03-31/functions/hello/invocations" }],
    ["what feeds functions", { method: "GET", url: "/2015-03-31/event-source-mappings/" }],
    ["SNS's certificate", { method: "GET", url: "/SimpleNotificationService-0123abcd.pem" }],
  ])("takes %s", (_, { method = "POST", url, headers = {} }) => {
    expect(isOfAws({ method, url, headers })).toBe(true);
  });

  it.each<[string, { method?: string; url: string; headers?: Record<string, string> }]>([
    ["the page at /", { method: "GET", url: "/" }],
    [
      "the API, whatever it brings along",
      { url: "/v1/queues", headers: { "x-amz-target": "AmazonSQS.X", authorization: signed("sqs") } },
    ],
    ["a form to the API", { url: "/v1/topics/c/t?Action=Publish", headers: { "content-type": form } }],
    ["health", { method: "GET", url: "/health/ready?Action=ListQueues" }],
    ["metrics", { method: "GET", url: "/metrics", headers: { authorization: signed("sqs") } }],
    ["the URL of a function", { url: "/functions/hello", headers: { authorization: signed("lambda") } }],
    ["the WebSocket", { method: "GET", url: "/push?Action=x&user=alice" }],
    ["a form to somewhere else", { url: "/dev/task", headers: { "content-type": form } }],
    ["JSON", { url: "/", headers: { "content-type": "application/json" } }],
    ["Momento's calls", { url: "/cache_client.Scs/Get", headers: { "content-type": "application/grpc-web+proto" } }],
  ])("leaves %s to others", (_, { method = "POST", url, headers = {} }) => {
    expect(isOfAws({ method, url, headers })).toBe(false);
  });

  it.each<[string, Record<string, string>, string, string]>([
    ["/", { "x-amz-target": "__proto__.ListQueues" }, "", "X-Amz-Target __proto__.ListQueues is not offered"],
    ["/", {}, "Action=X&Version=constructor", "Version must be one of 2012-11-05, 2010-03-31"],
    ["/", { authorization: signed("s3") }, "", "the request names no action"],
    [
      "/restapis",
      { authorization: signed("apigateway") },
      "",
      "GET /restapis of the service apigateway is not offered",
    ],
  ])("says what it does not know: %s %j %s", (url, headers, body, refusal) => {
    const find = () => targetOf({ method: "GET", headers }, addressOf(url), new URLSearchParams(body));
    expect(find).toThrow(AwsError);
    expect(find).toThrow(refusal);
  });

  it.each(["lambda", "apigateway"])("answers what is signed for %s in its own form: no XML", (service) => {
    const headers = { authorization: signed(service) };
    for (const url of ["/restapis", "/2021-10-31/functions/x/url"]) {
      expect(guessedTarget({ headers }, addressOf(url))).toEqual({ service: "lambda", wire: "rest", action: "" });
    }
  });

  it("takes a form without a version for the service that it is signed for, and one to a queue for SQS", () => {
    const action = new URLSearchParams("Action=X");
    expect(targetOf({ headers: { authorization: signed("sns") } }, addressOf("/"), action).service).toBe("sns");
    expect(targetOf({ headers: {} }, addressOf("/000000000000/orders"), action).service).toBe("sqs");
  });
});
