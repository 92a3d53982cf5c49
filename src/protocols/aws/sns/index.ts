import { TodokuError } from "../../../domain/errors.ts";
import type { AwsAnswer, AwsCall, AwsPublicRequest, AwsService } from "../call.ts";
import { AwsError, unknownAction } from "../errors.ts";
import { errorXml, responseXml, type XmlElements } from "../xml.ts";
import { toSnsError } from "./errors.ts";
import type { SnsOptions } from "./options.ts";
import { publish, publishBatch } from "./publish.ts";
import {
  confirmPublicly,
  confirmSubscription,
  getSubscriptionAttributes,
  listSubscriptions,
  listSubscriptionsByTopic,
  setSubscriptionAttributes,
  subscribe,
  unsubscribe,
} from "./subscriptions.ts";
import {
  createTopic,
  deleteTopic,
  getTopicAttributes,
  listTags,
  listTopics,
  setTopicAttributes,
  tagResource,
  untagResource,
} from "./topics.ts";

/** Undefined: SNS answers it without a result. */
type Operation = (options: SnsOptions, call: AwsCall) => Promise<XmlElements | undefined>;

const operations: Readonly<Record<string, Operation>> = {
  Publish: publish,
  PublishBatch: publishBatch,
  CreateTopic: createTopic,
  DeleteTopic: deleteTopic,
  ListTopics: listTopics,
  GetTopicAttributes: getTopicAttributes,
  SetTopicAttributes: setTopicAttributes,
  Subscribe: subscribe,
  ConfirmSubscription: confirmSubscription,
  Unsubscribe: unsubscribe,
  ListSubscriptions: listSubscriptions,
  ListSubscriptionsByTopic: listSubscriptionsByTopic,
  GetSubscriptionAttributes: getSubscriptionAttributes,
  SetSubscriptionAttributes: setSubscriptionAttributes,
  TagResource: tagResource,
  UntagResource: untagResource,
  ListTagsForResource: listTags,
};

/** Simple Notification Service: form fields in, XML out. */
export function createSns(options: SnsOptions): AwsService {
  return {
    async handle(call) {
      const operation = Object.hasOwn(operations, call.action) ? operations[call.action] : undefined;
      if (!operation || call.wire !== "query") throw unknownAction(call.action, "SNS");
      const { action, requestId } = call;
      return { body: responseXml({ service: "sns", action, requestId }, await operation(options, call)) };
    },
    async handlePublic(request) {
      if (request.method !== "GET") return undefined;
      if (request.rawPath.startsWith("/SimpleNotificationService-")) return certificateAt(options, request.rawPath);
      if (request.rawPath !== "/" || request.query.get("Action") !== "ConfirmSubscription") return undefined;
      return answerPublicly(options, request);
    },
    toAwsError: toSnsError,
  };
}

async function certificateAt({ snsCertificate }: SnsOptions, path: string): Promise<AwsAnswer> {
  const body = await snsCertificate?.(path);
  if (body !== undefined) return { headers: { "content-type": "application/x-pem-file" }, body };
  throw new AwsError("NotFound", "there is no certificate at this address", { status: 404 });
}

const xml = { "content-type": "text/xml" };

/** Its errors too, for the door does not know which service a request without a signature is for. */
async function answerPublicly(options: SnsOptions, request: AwsPublicRequest): Promise<AwsAnswer> {
  const { requestId } = request;
  try {
    const result = await confirmPublicly(options, request);
    return { headers: xml, body: responseXml({ service: "sns", action: "ConfirmSubscription", requestId }, result) };
  } catch (error) {
    const said = error instanceof TodokuError ? toSnsError(error) : error;
    if (!(said instanceof AwsError) || said.status >= 500) throw error;
    return { status: said.status, headers: xml, body: errorXml("sns", said, requestId) };
  }
}
