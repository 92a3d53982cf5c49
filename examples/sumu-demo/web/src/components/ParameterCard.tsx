import { MultiSelect, Paper, SegmentedControl, Text, Textarea, Title } from "@mantine/core";
import { type PushMode, textMaxLength } from "../actions/chat-message.ts";
import type { ReceivedMessage } from "../people/messages.ts";
import { connected, nameOf, nameOfUser, type People } from "../people/people.ts";
import card from "./ActionCard.module.css";
import classes from "./ParameterCard.module.css";
import { ReceivedMessages } from "./ReceivedMessages.tsx";
import type { Composer } from "./use-composer.ts";

const sentences: Readonly<Record<PushMode, string>> = {
  UNICAST: "The message goes to just you, in all of your windows.",
  MULTICAST: "The message goes to the users you choose.",
  BROADCAST: "The message goes to all users but you.",
};

interface ParameterCardProps {
  readonly composer: Composer;
  /** Without the one who writes. */
  readonly people: People;
  readonly messages: readonly ReceivedMessage[];
}

/** What is published or sent, and to whom; below it what came. */
export function ParameterCard({ composer, people, messages }: ParameterCardProps) {
  const { text, pushMode, users, problems, setText, setPushMode, setUsers, submit } = composer;
  // Who has gone stays chosen: they may be back in a moment.
  const gone = users.filter((userId) => !people.get(userId)?.isOnline);
  const choices = [
    ...connected(people).map((person) => ({ value: person.userId, label: nameOf(person) })),
    ...gone.map((userId) => ({ value: userId, label: `${nameOfUser(people, userId)} (gone)` })),
  ];
  const hint = (
    <span className={classes.hint}>
      <span className={classes.shortcut}>Ctrl + Enter publishes</span>
      <span>
        {text.length} / {textMaxLength}
      </span>
    </span>
  );
  return (
    <Paper component="section" className={card.card} withBorder aria-label="Message">
      <Title order={2} className={card.title}>
        Message
      </Title>
      <SegmentedControl
        aria-label="Push mode"
        fullWidth
        size="xs"
        value={pushMode}
        onChange={(mode) => setPushMode(mode as PushMode)}
        data={Object.keys(sentences)}
      />
      <Text size="sm" c="dimmed">
        {sentences[pushMode]}
      </Text>
      <Textarea
        ref={composer.textField}
        label="Text"
        placeholder="Your message"
        rows={3}
        maxLength={textMaxLength}
        description={hint}
        error={problems.text}
        inputWrapperOrder={["label", "input", "error", "description"]}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit("publish");
        }}
      />
      {pushMode === "MULTICAST" && (
        <MultiSelect
          ref={composer.usersField}
          label="Users"
          error={problems.users}
          // Its menu would cover what is wrong with it.
          openOnFocus={false}
          placeholder={users.length === 0 ? "Choose users" : ""}
          nothingFoundMessage="Nobody else is here"
          searchable
          clearable
          data={choices}
          value={[...users]}
          onChange={setUsers}
        />
      )}
      <ReceivedMessages messages={messages} />
    </Paper>
  );
}
