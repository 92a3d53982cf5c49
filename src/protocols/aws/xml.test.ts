import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { errorXml, escapeXml, responseXml, xmlOf } from "./xml.ts";

describe("XML", () => {
  it("writes elements, repeats those of lists, and leaves out what is undefined", () => {
    const message = {
      Body: "a",
      Attribute: [
        { Name: "n", Value: 1 },
        { Name: "m", Value: true },
      ],
      Gone: undefined,
    };
    expect(xmlOf({ Message: [message, { Body: "" }], Empty: [] })).toBe(
      "<Message><Body>a</Body><Attribute><Name>n</Name><Value>1</Value></Attribute><Attribute><Name>m</Name><Value>true</Value></Attribute></Message>" +
        "<Message><Body></Body></Message>",
    );
  });

  it("is read back as it was, but for characters that XML has no way to write", () => {
    const parse = (xml: string) =>
      xml.replace(
        /&(amp|lt|gt|quot|#13);/g,
        (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#13": "\r" })[name as string] ?? "",
      );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const escaped = escapeXml(text);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
        expect(escaped).not.toMatch(/[<>"\r]|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/);
        expect(escaped.isWellFormed()).toBe(true);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the same
        expect(parse(escaped)).toBe(text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd"));
      }),
    );
    expect(escapeXml("a\ud800b\u{1f600}\t\n\r")).toBe("a\ufffdb\u{1f600}\t\n&#13;");
  });

  it("is the answer to an action, with a result or without, and an error", () => {
    const call = { service: "sns", action: "Publish", requestId: "r" } as const;
    const metadata = "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>";
    const open = '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">';
    expect(responseXml(call, { MessageId: "m" })).toBe(
      `${open}<PublishResult><MessageId>m</MessageId></PublishResult>${metadata}</PublishResponse>`,
    );
    expect(responseXml(call)).toBe(`${open}${metadata}</PublishResponse>`);
    expect(errorXml("sqs", { fault: "Sender", queryCode: "X", message: "a<b" }, "r")).toBe(
      '<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>X</Code><Message>a&lt;b</Message><Detail></Detail></Error><RequestId>r</RequestId></ErrorResponse>',
    );
  });
});
