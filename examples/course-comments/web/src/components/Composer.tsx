import { Button, Textarea } from "@mantine/core";
import { type FormEvent, type KeyboardEvent, useRef } from "react";
import classes from "./Composer.module.css";
import { type Say, useComposer } from "./use-composer.ts";

interface ComposerProps {
  readonly label: string;
  readonly placeholder: string;
  readonly action: string;
  /** Of what is written. */
  readonly language?: string;
  readonly say: Say;
}

/** Where something is written. What was typed stays until Todoku has it. Enter sends it, Shift and Enter begin a line. */
export function Composer({ label, placeholder, action, language, say }: ComposerProps) {
  const { text, problem, isSending, write, submit } = useComposer(say);
  const field = useRef<HTMLTextAreaElement>(null);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    await submit();
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter is its own.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) void send(event);
  };
  return (
    <form onSubmit={(event) => void send(event)} noValidate aria-label={label}>
      <div className={classes.composer}>
        <Textarea
          ref={field}
          className={classes.field ?? ""}
          aria-label={label}
          placeholder={placeholder}
          lang={language}
          autosize
          minRows={1}
          maxRows={6}
          size="md"
          variant="unstyled"
          value={text}
          readOnly={isSending}
          onChange={(event) => write(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          enterKeyHint="send"
        />
        <Button type="submit" size="md" loading={isSending}>
          {action}
        </Button>
      </div>
      <div className={classes.problem} role="alert">
        {problem}
      </div>
    </form>
  );
}
