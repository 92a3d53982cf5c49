import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toInput } from "./query-input.ts";

/** What a boto3 sent to SQS: action, and form or JSON. */
function captured(file: string) {
  const text = readFileSync(new URL(`../../../../test/fixtures/aws-wire/${file}.jsonl`, import.meta.url), "utf8");
  const requests = text
    .trim()
    .split("\n")
    // Each recording has its own time in an attribute.
    .map((line) => line.replace(/17953324\d\d/g, "1795332400"))
    .map((line): { readonly rawHeaders: readonly string[]; readonly body: string } => JSON.parse(line));
  return requests.filter(({ rawHeaders }) => rawHeaders.some((header) => /\/sqs\/aws4_request/.test(header)));
}

const inputOf = (text: string, rawPath = "/") => toInput(new URLSearchParams(text), rawPath);

describe("the query protocol of SQS", () => {
  it("says what a newer boto3 says in JSON for the same calls", () => {
    const forms = captured("boto126").map(({ body }) => inputOf(body));
    const jsons = captured("boto143").map(({ body }) => JSON.parse(body));
    expect(forms.length).toBe(jsons.length);
    expect(forms.length).toBeGreaterThan(10);
    for (const [n, form] of forms.entries()) {
      const { Action, Version, ReceiptHandle: _, ...input } = form;
      expect([Action, Version]).toEqual([expect.any(String), "2012-11-05"]);
      // Handles are of each recording its own.
      const { ReceiptHandle: __, ...json } = jsons[n];
      expect(input, String(Action)).toEqual(json);
    }
  });

  it("takes the plural of each list's name, as API Gateway writes them", () => {
    const value = "1.Value.DataType=String&MessageAttributes.1.Value.StringValue=s";
    expect(inputOf(`MessageAttributes.1.Name=source&MessageAttributes.${value}&AttributeNames.1=All`)).toEqual({
      MessageAttributes: { source: { DataType: "String", StringValue: "s" } },
      AttributeNames: ["All"],
    });
  });

  it("takes the path as the queue when the fields name none", () => {
    expect(inputOf("MessageBody=a", "/000000000000/q")).toEqual({ MessageBody: "a", QueueUrl: "/000000000000/q" });
    expect(inputOf("QueueUrl=b", "/000000000000/q")).toEqual({ QueueUrl: "b" });
    expect(inputOf("MessageBody=a")).toEqual({ MessageBody: "a" });
  });

  it("takes the first of a field that stands there twice, and lists in the order of their numbers", () => {
    expect(inputOf("QueueUrl=a&QueueUrl=b&TagKey.10=z&TagKey.2=y&TagKey.x=no")).toEqual({
      QueueUrl: "a",
      TagKeys: ["y", "z"],
    });
  });

  it.each([
    ["DelaySeconds=1.5", "Value 1.5 for parameter DelaySeconds is invalid. Reason: Must be a whole number."],
    ["SendMessageBatchRequestEntry.1.DelaySeconds=x", "Value x for parameter DelaySeconds"],
    ["Tag.1.Key=a&Tag.2.Key=a", "The name 'a' stands in Tag twice."],
    ["MessageAttribute.1.Name=a&MessageAttribute.2.Name=a", "The name 'a' stands in MessageAttribute twice."],
  ])("refuses %s", (text, message) => {
    expect(() => inputOf(text)).toThrow(message);
  });
});
