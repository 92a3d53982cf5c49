import { z } from "zod";
import { TodokuError } from "../../../domain/errors.ts";
import { formatPosition, type Position, parsePosition } from "../../../domain/topics/position.ts";
import type { Topics } from "../../../domain/topics/topics.ts";
import { check } from "../../check.ts";
import { attributesField, base64Field, textField, toValue } from "../../message-fields.ts";
import type { Actions, Session } from "../session.ts";
import { answer } from "./answer.ts";
import { type FollowedTopic, FollowedTopics } from "./followed-topics.ts";
import { TopicEncodings } from "./topic-encodings.ts";

// Fields that do not stand here are for whoever routes by them.
const topicSchema = z.object({ cache: z.string(), topic: z.string() });
const positionField = z.string().transform((text, { addIssue }): Position => {
  const position = parsePosition(text);
  if (!position) addIssue("must be a position, written <page>-<sequence>");
  return position ?? z.NEVER;
});
const subscribeSchema = topicSchema.extend({ after: positionField.optional() });
const publishSchema = topicSchema.extend({
  text: textField.optional(),
  base64: base64Field.optional(),
  attributes: attributesField.optional(),
  messageId: textField.optional(),
});

type PublishFrame = z.output<typeof publishSchema>;

/** What the schema says of most frames, which are a text and no more: it takes 4 % of a publish to say so. */
function isPlain(frame: Readonly<Record<string, unknown>>): frame is PublishFrame {
  const { cache, topic, text, base64, attributes, messageId } = frame;
  const isText = typeof text === "string" && text.isWellFormed();
  const isBare = base64 === undefined && attributes === undefined && messageId === undefined;
  return typeof cache === "string" && typeof topic === "string" && isText && isBare;
}

/** Topics over a socket. */
interface TopicActions {
  readonly actions: Actions;
  /** The session has another credential: what that may not follow ends. */
  renew(session: Session): void;
}

export function createTopicActions({
  topics,
}: {
  readonly topics: Pick<Topics, "publish" | "subscribe" | "renew">;
}): TopicActions {
  const encodings = new TopicEncodings();
  const followed = new Map<Session, FollowedTopics>();

  function followedBy(session: Session): FollowedTopics {
    let all = followed.get(session);
    if (all) return all;
    all = new FollowedTopics(session, encodings);
    followed.set(session, all);
    session.onClosed(() => {
      followed.get(session)?.close();
      followed.delete(session);
    });
    return all;
  }

  async function open(session: Session, one: FollowedTopic, after: Position | undefined): Promise<Position> {
    const { principal } = session;
    const { cache, topic } = one.encoding;
    const subscription = await topics.subscribe(principal, cache, topic, after, one);
    one.subscription = subscription;
    // The connection is over.
    if (one.isRemoved) subscription.close();
    if (session.principal !== principal) topics.renew(subscription, session.principal);
    if (one.failure) throw one.failure;
    return subscription.position;
  }

  const actions: Actions = {
    async "topics.subscribe"(session, frame) {
      const { cache, topic, after } = check(subscribeSchema, frame, "the frame");
      if (!session.isOpen) return;
      const all = followedBy(session);
      const one = all.add(cache, topic);
      const opening = Promise.withResolvers<void>();
      one.opening = opening.promise;
      try {
        const position = formatPosition(await open(session, one, after));
        answer(session, frame, { type: "subscribed", cache, topic, position });
      } catch (error) {
        all.remove(one);
        throw error;
      } finally {
        one.opening = undefined;
        opening.resolve();
      }
      void all.resume();
    },

    async "topics.unsubscribe"(session, frame) {
      const { cache, topic } = check(topicSchema, frame, "the frame");
      const all = followed.get(session);
      const one = all?.get(cache, topic);
      await one?.opening;
      if (!one || one.isRemoved) {
        throw new TodokuError("not_found", `this connection does not follow topic "${topic}" of cache "${cache}"`);
      }
      all?.remove(one);
      answer(session, frame, { type: "unsubscribed", cache, topic });
    },

    "topics.publish"(session, frame) {
      const { cache, topic, text, base64, attributes, messageId } = isPlain(frame)
        ? frame
        : check(publishSchema, frame, "the frame");
      const value = toValue(text, base64);
      if (!value) throw new TodokuError("invalid_argument", 'the frame must have either "text" or "base64"');
      const message = { value, attributes, messageId };
      return topics.publish(session.principal, cache, topic, message).then(({ position, isRepeat }) => {
        answer(session, frame, { type: "published", cache, topic, position: formatPosition(position), isRepeat });
      });
    },
  };

  return {
    actions,
    renew(session) {
      for (const subscription of followed.get(session)?.subscriptions ?? [])
        topics.renew(subscription, session.principal);
    },
  };
}
