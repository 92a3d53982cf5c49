import { Alert, Button, Text, Title } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import classes from "../../../../task-notifications/web/src/components/Landing.module.css";
import { Shell } from "../../../../task-notifications/web/src/components/Shell.tsx";

interface LandingProps {
  /** Shows that the last try to sign in did not work. */
  readonly hasFailed: boolean;
  readonly isBusy: boolean;
  onSignIn(): void;
}

/** What somebody sees who is not signed in. */
export function Landing({ hasFailed, isBusy, onSignIn }: LandingProps) {
  return (
    <Shell>
      <div className={classes.landing}>
        <Title className={classes.title}>See who is there. Say something.</Title>
        <Text className={classes.text}>
          One WebSocket for everything: messages to yourself, to some, to all, and who comes and goes. It finds its way
          back when the line breaks.
        </Text>
        {hasFailed && (
          <Alert color="shu" variant="light" role="alert">
            Signing in did not work. Please try again.
          </Alert>
        )}
        <Button size="md" loading={isBusy} onClick={onSignIn} rightSection={<IconArrowRight size={18} aria-hidden />}>
          Sign in
        </Button>
      </div>
    </Shell>
  );
}
