import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import type { TopicItem } from "../topics/store.ts";
import { arnParts } from "./arns.ts";
import { confirmationToSign, toConfirmationText } from "./confirmation.ts";
import { snsMessageIdOf, snsSubscriptionIdOf } from "./message-id.ts";
import { notificationToSign, type SnsProtocol, toLambdaRecord, toNotification, toSnsMessage } from "./notification.ts";

const place = { region: "eu-west-1", baseUrl: "http://todoku.test:8080" };
const publishedAtMs = Date.UTC(2026, 10, 22, 7, 30, 1, 5);
const text = (value: string) => ({ type: "String", value });

function anItem(value: string | Buffer, attributes?: TopicItem["attributes"]): TopicItem {
  const isText = typeof value === "string";
  return {
    ...{ page: 7, sequence: 3, value: { isText, bytes: Buffer.from(value) } },
    ...{ attributes, tokenId: "", publishedAtMs },
  };
}

function messageOf(item: TopicItem, protocol: SnsProtocol = "sqs") {
  return toSnsMessage({ environment: "dev", topic: "messages", subscriptionId: "s-1", item, protocol, place });
}

describe("an item as SNS tells of it", () => {
  it("is a notification, which hides the attributes that SNS's own fields are kept in", () => {
    const message = messageOf(anItem("hello", { user_id: text("u-1"), "AWS.SNS.Subject": text("Hi") }));
    const signature = { version: "2", signature: "c2ln", certificateUrl: "http://todoku.test/c.pem" } as const;
    expect(JSON.parse(toNotification(message, signature))).toEqual({
      Type: "Notification",
      MessageId: snsMessageIdOf("dev", "messages", { page: 7, sequence: 3 }),
      TopicArn: "arn:aws:sns:eu-west-1:000000000000:messages",
      Subject: "Hi",
      Message: "hello",
      Timestamp: "2026-11-22T07:30:01.005Z",
      SignatureVersion: "2",
      Signature: "c2ln",
      SigningCertURL: "http://todoku.test/c.pem",
      UnsubscribeURL:
        "http://todoku.test:8080/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:eu-west-1:000000000000:messages:s-1",
      MessageAttributes: { user_id: { Type: "String", Value: "u-1" } },
    });
    expect(message.attributes).toEqual({ user_id: text("u-1") });
  });

  it("is a record for functions, whose spelling differs, and which always has a subject", () => {
    expect(toLambdaRecord(messageOf(anItem("hello", { user_id: text("u-1") }), "lambda"))).toEqual({
      EventSource: "aws:sns",
      EventVersion: "1.0",
      EventSubscriptionArn: "arn:aws:sns:eu-west-1:000000000000:messages:s-1",
      Sns: {
        Type: "Notification",
        MessageId: snsMessageIdOf("dev", "messages", { page: 7, sequence: 3 }),
        TopicArn: "arn:aws:sns:eu-west-1:000000000000:messages",
        Subject: null,
        Message: "hello",
        Timestamp: "2026-11-22T07:30:01.005Z",
        SignatureVersion: "2",
        Signature: "",
        SigningCertUrl: "",
        UnsubscribeUrl: expect.stringContaining("Action=Unsubscribe"),
        MessageAttributes: { user_id: { Type: "String", Value: "u-1" } },
      },
    });
  });

  it("has the text of each protocol, and of bytes their base64", () => {
    const structured = (value: string, protocol: SnsProtocol) =>
      messageOf(anItem(value, { "AWS.SNS.MessageStructure": text("json") }), protocol).message;
    const texts = JSON.stringify({ default: "d", lambda: "for functions" });
    expect(structured(texts, "lambda")).toBe("for functions");
    expect(structured(texts, "sqs")).toBe("d");
    // Another door took it: nobody has looked at its form.
    expect(structured("no json", "sqs")).toBe("no json");
    expect(structured('{"sqs":1}', "sqs")).toBe('{"sqs":1}');
    expect(messageOf(anItem(texts)).message).toBe(texts);
    expect(messageOf(anItem(Buffer.from([0, 255]))).message).toBe("AP8=");
  });

  it("is signed field by field in the order of the alphabet, the subject when there is one", () => {
    const lines = (subject: string[]) => [
      ...["Message", "hello", "MessageId", snsMessageIdOf("dev", "messages", { page: 7, sequence: 3 }), ...subject],
      ...["Timestamp", "2026-11-22T07:30:01.005Z", "TopicArn", "arn:aws:sns:eu-west-1:000000000000:messages"],
      ...["Type", "Notification", ""],
    ];
    expect(notificationToSign(messageOf(anItem("hello"))).split("\n")).toEqual(lines([]));
    const withSubject = messageOf(anItem("hello", { "AWS.SNS.Subject": text("Hi") }));
    expect(notificationToSign(withSubject).split("\n")).toEqual(lines(["Subject", "Hi"]));
  });
});

describe("a question whether a URL wants messages", () => {
  const confirmation = {
    ...{ environment: "dev", messageId: "m-1", topicArn: "arn:aws:sns:us-east-1:000000000000:t", place },
    ...{ url: "https://example.com", token: "abc.dev", timestamp: "2026-11-22T07:30:01.005Z" },
  };

  it("has an address that says yes, and is signed with its token", () => {
    const parsed = JSON.parse(toConfirmationText(confirmation, { version: "2", signature: "s", certificateUrl: "c" }));
    const { searchParams, origin, pathname } = new URL(parsed.SubscribeURL);
    expect([origin, pathname]).toEqual(["http://todoku.test:8080", "/"]);
    expect(Object.fromEntries(searchParams)).toEqual({
      Action: "ConfirmSubscription",
      TopicArn: confirmation.topicArn,
      Token: "abc.dev",
    });
    expect(parsed).toMatchObject({ Type: "SubscriptionConfirmation", Token: "abc.dev", Signature: "s" });
    const names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
    const signed = confirmationToSign(confirmation);
    const places = names.map((name) => signed.search(new RegExp(`^${name}\\n`, "m")));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBe(0);
  });
});

describe("ids", () => {
  it("are the same for the same, and others for whatever differs", () => {
    const at = { page: 1, sequence: 11 };
    const id = snsMessageIdOf("dev", "t", at);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const others = [
      snsMessageIdOf("prod", "t", at),
      snsMessageIdOf("dev", "u", at),
      snsMessageIdOf("dev", "t", { page: 11, sequence: 1 }),
      snsSubscriptionIdOf("dev", "t", "sqs", "q"),
      snsSubscriptionIdOf("dev", "t", "lambda", "q"),
    ];
    expect(snsMessageIdOf("dev", "t", { ...at })).toBe(id);
    expect(new Set([id, ...others]).size).toBe(6);
  });
});

describe("the parts of an ARN", () => {
  it("are those behind region and account, which may be any", () => {
    expect(arnParts("sns", "arn:aws:sns:eu-west-1:123456789012:orders")).toEqual(["orders"]);
    expect(arnParts("sns", "arn:aws-cn:sns:::orders:id")).toEqual(["orders", "id"]);
    for (const wrong of [
      "orders",
      "arn:aws:sqs:r:1:orders",
      "arn:aws:sns:r:1",
      "arn:aws:sns:r:1:",
      "arn:aws:sns:r:1:a:",
    ]) {
      expect(arnParts("sns", wrong)).toBeUndefined();
    }
  });
});
