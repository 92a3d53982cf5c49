import { describe, expect, it } from "vitest";
import { checkGrants, type Grant } from "../auth/grants.ts";
import { grantOrStatementSchema, type Statement, toGrants } from "./statements.ts";

const sqs = (queue: string) => `arn:aws:sqs:eu-west-1:123456789012:${queue}`;
const allow = (Action: string | string[], Resource: string | string[]): Statement => ({
  Effect: "Allow",
  Action,
  Resource,
});

describe("IAM statements", () => {
  const all = { all: true } as const;
  const send = { resource: "queue", role: "send" } as const;
  it.each<[string, Statement, readonly Grant[]]>([
    [
      "sns:Publish",
      allow("sns:Publish", "arn:aws:sns:us-east-1:000000000000:messages"),
      [{ resource: "topic", role: "publish", cache: { name: "events" }, topic: { name: "messages" } }],
    ],
    [
      "sns:Publish on all topics",
      allow("sns:Publish", "*"),
      [{ resource: "topic", role: "publish", cache: { name: "events" }, topic: all }],
    ],
    ["sqs:SendMessage", allow("sqs:SendMessage", sqs("tasks")), [{ ...send, queue: { name: "tasks" } }]],
    [
      "two queues",
      allow(["sqs:SendMessage"], [sqs("a"), sqs("b-*")]),
      [
        { ...send, queue: { name: "a" } },
        { ...send, queue: { prefix: "b-" } },
      ],
    ],
    [
      "the consumer of the article",
      allow(
        [
          ...["sqs:ChangeMessageVisibility", "sqs:ChangeMessageVisibilityBatch", "sqs:DeleteMessage"],
          ...["sqs:DeleteMessageBatch", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
        ],
        sqs("messages"),
      ),
      [{ resource: "queue", role: "receive", queue: { name: "messages" } }],
    ],
    [
      "ssm:GetParameter* on a path",
      allow("ssm:GetParameter*", "arn:aws:ssm:us-east-1:000000000000:parameter/notification-api/dev/momento-api-key"),
      [{ resource: "secret", role: "read", secret: { name: "/notification-api/dev/momento-api-key" } }],
    ],
    [
      "ssm:GetParametersByPath",
      allow("ssm:GetParametersByPath", "arn:aws:ssm:us-east-1:000000000000:parameter/notification-api/dev/*"),
      [{ resource: "secret", role: "read", secret: { prefix: "/notification-api/dev/" } }],
    ],
    [
      "a parameter that may begin with a slash or not",
      allow("ssm:GetParameter", "arn:aws:ssm:us-east-1:000000000000:parameter/key"),
      [
        { resource: "secret", role: "read", secret: { name: "/key" } },
        { resource: "secret", role: "read", secret: { name: "key" } },
      ],
    ],
    [
      "secretsmanager:GetSecretValue",
      allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-??????"),
      [{ resource: "secret", role: "read", secret: { name: "db" } }],
    ],
    [
      "execute-api:ManageConnections",
      allow("execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:000000000000:abc/push/*"),
      [{ resource: "connection", role: "read-write", user: all }],
    ],
    [
      "execute-api:ManageConnections to post alone",
      allow("execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:000000000000:abc/push/POST/@connections/*"),
      [{ resource: "connection", role: "send", user: all }],
    ],
    [
      "execute-api:ManageConnections to see alone",
      allow("execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:000000000000:abc/push/GET/@connections/*"),
      [{ resource: "connection", role: "read", user: all }],
    ],
    [
      "the connections table",
      allow(["dynamodb:Query", "dynamodb:Scan"], "arn:aws:dynamodb:us-east-1:000000000000:table/SumuConnections"),
      [{ resource: "connection", role: "read", user: all }],
    ],
    [
      "lambda:InvokeFunction",
      allow("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:000000000000:function:work:live"),
      [{ resource: "handler", role: "invoke", handler: { name: "work" } }],
    ],
  ])("become grants: %s", (_, statement, grants) => {
    expect(toGrants([statement])).toEqual(grants);
    checkGrants(toGrants([statement]));
  });

  it("of several roles on one thing become one grant, with grants beside them too", () => {
    const grants = toGrants([
      allow("sqs:SendMessage", sqs("tasks")),
      { resource: "queue", role: "receive", queue: { name: "tasks" } },
      { resource: "cache", role: "read", cache: { name: "c" }, key: { all: true } },
      allow("sqs:GetQueueUrl", "*"),
    ]);
    expect(grants).toEqual([
      { resource: "queue", role: "send-receive", queue: { name: "tasks" } },
      { resource: "cache", role: "read", cache: { name: "c" }, key: { all: true } },
    ]);
  });

  it.each([
    [{ ...allow("sqs:SendMessage", "*"), Effect: "Deny" }, 'the Effect "Deny" is not offered'],
    [allow("sqs:*", sqs("a")), 'the action "sqs:*" is none that a handler can be given'],
    [allow("sqs:SendMessage:x", sqs("a")), 'the action "sqs:SendMessage:x" is none'],
    [allow("sqs:Send*", sqs("a")), 'the action "sqs:Send*" is none'],
    [allow("*", "*"), 'the action "*" is none that a handler can be given'],
    [allow("sqs:CreateQueue", sqs("a")), 'the action "sqs:CreateQueue" is none'],
    [allow("dynamodb:PutItem", "*"), 'the action "dynamodb:PutItem" is none'],
    [allow("constructor:toString", "*"), 'the action "constructor:toString" is none'],
    [allow("sqs:toString", "*"), 'the action "sqs:toString" is none'],
    [allow("sqs:SendMessage", "tasks"), 'the resource "tasks" must be an ARN or *'],
    [allow("sqs:SendMessage", sqs("a*b")), "must have no * or ? but one * at its end"],
    [allow("sqs:SendMessage", sqs("a?")), "must have no * or ? but one * at its end"],
    [allow("sqs:SendMessage", "arn:aws:sns:x:y:messages"), "has no resource of its service"],
    [allow("sqs:SendMessage", [sqs("a"), "arn:aws:sns:x:y:messages"]), "is of no service that an action names"],
    [allow("lambda:InvokeFunction", "arn:aws:lambda:x:y:layer:a"), "names no function"],
    [allow("ssm:GetParameter", "arn:aws:ssm:x:y:document/a"), "names no parameter or secret"],
    [allow("sqs:GetQueueUrl", sqs("a")), 'the action "sqs:GetQueueUrl" comes with sending or receiving'],
  ])("that no grant can say are refused by name: %j", (statement, message) => {
    expect(() => toGrants([statement])).toThrow(message);
  });

  it.each([
    [{ Effect: "Allow", Action: "sns:Publish" }, "the statement has no Resource"],
    [{ Resource: "*" }, "the statement has no Effect and no Action"],
    [{ Effect: "Allow", Action: "sns:Publish", Resource: "*", Condition: {} }, "Unrecognized key"],
    [{ resurce: "topic" }, "must be a grant, or a statement as IAM has them"],
    ["all", "must be a grant, or a statement as IAM has them"],
  ])("that are no statements are told what they lack: %j", (entry, message) => {
    expect(grantOrStatementSchema.safeParse(entry).error?.issues[0]?.message).toContain(message);
  });
});
