import { Anchor, Text } from "@mantine/core";
import type { FormProblem } from "./use-task-form.ts";

interface FormErrorProps {
  readonly error: FormProblem;
  onSignIn(): void;
}

/** What went wrong, and what to do about it. */
export function FormError({ error, onSignIn }: FormErrorProps) {
  return (
    <Text size="sm" c="var(--mantine-color-error)">
      {sentence(error)}
      {error.problem === "signed-out" && (
        <>
          {" "}
          <Anchor component="button" type="button" inherit c="inherit" underline="always" onClick={onSignIn}>
            Sign in again
          </Anchor>
        </>
      )}
    </Text>
  );
}

function sentence({ problem, waitSeconds }: FormProblem): string {
  switch (problem) {
    case "empty":
      return "Say in a few words what should be done.";
    case "too-long":
      return "This is too long: a task has at most 1000 characters.";
    case "invalid":
      return "The server does not understand this text. Please write it differently.";
    case "too-large":
      return "This is too large to be sent. Please make it shorter.";
    case "signed-out":
      return "Your sign-in has ended. Your text is kept.";
    case "too-many":
      return `These are many tasks at once. The next one can go in ${waitSeconds} ${waitSeconds === 1 ? "second" : "seconds"}.`;
    case "unavailable":
      return "Tasks cannot be taken at the moment. Your text is kept; please try again shortly.";
    case "unreachable":
      return navigator.onLine
        ? "The server does not answer. Your text is kept; please try again."
        : "You are offline. Your text is kept; send it when you are back.";
    case "unexpected":
      return "Something went wrong. Your text is kept; please try again.";
  }
}
