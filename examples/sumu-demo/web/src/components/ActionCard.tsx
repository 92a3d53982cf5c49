import { Button, Paper, Title } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import classes from "./ActionCard.module.css";
import { Code } from "./Code.tsx";

interface ActionCardProps {
  readonly title: string;
  /** The source of the module that the button runs. */
  readonly code: string;
  /** On the button. */
  readonly label: string;
  readonly Icon: Icon;
  readonly isDisabled: boolean;
  readonly isBusy?: boolean;
  onClick(): void;
}

/** Something that the page can do, with the code that does it. */
export function ActionCard({ title, code, label, Icon, isDisabled, isBusy = false, onClick }: ActionCardProps) {
  return (
    <Paper component="section" className={classes.card} withBorder aria-label={title}>
      <div className={classes.head}>
        <Title order={2} className={classes.title}>
          {title}
        </Title>
        <Button
          size="sm"
          leftSection={<Icon size={16} aria-hidden />}
          disabled={isDisabled}
          loading={isBusy}
          onClick={onClick}
        >
          {label}
        </Button>
      </div>
      <Code source={code} label={`Source of ${label}`} />
    </Paper>
  );
}
