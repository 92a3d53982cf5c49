import { MultiSelect, Paper, SegmentedControl, Text, Textarea, Title } from "@mantine/core";
import { type PushMode, textMaxLength } from "../actions/chat-message.ts";
import { nameOf, type Person } from "../people/people.ts";
import card from "./ActionCard.module.css";
import classes from "./ParameterCard.module.css";
import type { Composer } from "./use-composer.ts";

const sentences: Readonly<Record<PushMode, string>> = {
  UNICAST: "The message goes to just you, in all of your windows.",
  MULTICAST: "The message goes to the users you choose.",
  BROADCAST: "The message goes to all users but you.",
};

/** What is published or sent, and to whom. */
export function ParameterCard({ composer, people }: { composer: Composer; people: readonly Person[] }) {
  const { text, pushMode, users, setText, setPushMode, setUsers, submit } = composer;
  const counterId = "text-counter";
  // Who has gone stays chosen: they may be back in a moment.
  const gone = users.filter((userId) => !people.some((person) => person.userId === userId));
  const choices = [
    ...people.map((person) => ({ value: person.userId, label: nameOf(person) })),
    ...gone.map((userId) => ({ value: userId, label: `${userId} (gone)` })),
  ];
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
      <div>
        <Textarea
          label="Text"
          placeholder="Your message"
          rows={3}
          maxLength={textMaxLength}
          aria-describedby={counterId}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit("publish");
          }}
        />
        <div className={classes.hint}>
          <span>Ctrl + Enter publishes</span>
          <span id={counterId}>
            {text.length} / {textMaxLength}
          </span>
        </div>
      </div>
      {pushMode === "MULTICAST" && (
        <MultiSelect
          label="Users"
          placeholder={users.length === 0 ? "Choose users" : ""}
          nothingFoundMessage="Nobody else is here"
          searchable
          clearable
          data={choices}
          value={[...users]}
          onChange={setUsers}
        />
      )}
    </Paper>
  );
}
