import { Alert, Button, Text, Title } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import classes from "./Landing.module.css";
import { Shell } from "./Shell.tsx";

interface LandingProps {
  /** Shows why the last try to sign in did not work. */
  readonly hasFailed: boolean;
  readonly isBusy: boolean;
  onSignIn(): void;
}

/** What somebody sees who is not signed in. */
export function Landing({ hasFailed, isBusy, onSignIn }: LandingProps) {
  return (
    <Shell>
      <div className={classes.landing}>
        <Title className={classes.title}>Hand over a task. Hear when it is done.</Title>
        <Text className={classes.text}>
          Long work goes into a queue, and the answer finds its way back to you. Close the lid, lose the network: it
          still arrives.
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
