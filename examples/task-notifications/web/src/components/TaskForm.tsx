import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useRef } from "react";
import { taskTextMaxLength } from "../tasks/task.ts";
import { FormError } from "./FormError.tsx";
import classes from "./TaskForm.module.css";
import { type TaskFormOptions, useTaskForm } from "./use-task-form.ts";

interface TaskFormProps extends TaskFormOptions {
  onSignIn(): void;
}

/** Where a task is written down. What was typed stays until the queue has it. */
export function TaskForm({ onSignIn, ...options }: TaskFormProps) {
  const { text, error, isSending, isWaiting, setText, submit } = useTaskForm(options);
  const field = useRef<HTMLInputElement>(null);
  const onSubmit = async (event: FormEvent) => {
    event.preventDefault();
    await submit();
    field.current?.focus();
  };
  return (
    <form className={classes.form} onSubmit={onSubmit} noValidate aria-label="New task">
      <label className={classes.label} htmlFor="task-text">
        What should be done?
      </label>
      <div className={classes.line}>
        <TextInput
          id="task-text"
          ref={field}
          classNames={{ root: classes.field ?? "", input: classes.input ?? "" }}
          size="md"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          readOnly={isSending}
          placeholder="Resize the pictures of the trip"
          autoComplete="off"
          enterKeyHint="send"
          error={error !== undefined}
          aria-describedby="task-hint task-error"
        />
        <Button type="submit" size="md" loading={isSending} disabled={isWaiting}>
          Queue task
        </Button>
      </div>
      <div id="task-error" className={classes.error} role="alert">
        {error && <FormError error={error} onSignIn={onSignIn} />}
      </div>
      <div className={classes.foot}>
        <span id="task-hint">
          Takes about five seconds. A text with the word <code className={classes.code}>fail</code> fails, to try that.
        </span>
        <Count length={text.length} />
      </div>
    </form>
  );
}

/** Only when it matters. A longer text is not cut off while it is pasted: its writer shall choose what goes. */
function Count({ length }: { length: number }) {
  if (length < taskTextMaxLength * 0.8) return null;
  return (
    <span className={length > taskTextMaxLength ? `${classes.count} ${classes.over}` : classes.count}>
      {length}/{taskTextMaxLength}
    </span>
  );
}
