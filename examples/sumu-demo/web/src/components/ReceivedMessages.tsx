import { Text } from "@mantine/core";
import type { ReceivedMessage } from "../people/messages.ts";
import classes from "./ReceivedMessages.module.css";

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

/** The last messages that came, newest first: a notice goes by itself. */
export function ReceivedMessages({ messages }: { messages: readonly ReceivedMessage[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it with the keyboard
    <section className={classes.messages} aria-label="Last messages" tabIndex={0}>
      {messages.length === 0 && (
        <Text size="sm" c="dimmed">
          Messages that come stay here.
        </Text>
      )}
      <ul className={classes.list}>
        {messages.map(({ id, from, text, atMs }) => (
          <li key={id}>
            <b>{from}</b> <time dateTime={new Date(atMs).toISOString()}>{clock.format(atMs)}</time>
            <br />
            {text}
          </li>
        ))}
      </ul>
    </section>
  );
}
