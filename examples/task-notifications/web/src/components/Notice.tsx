import { Button, Text, Title } from "@mantine/core";
import { Seal } from "./Brand.tsx";
import classes from "./Notice.module.css";
import { Shell } from "./Shell.tsx";

/** A view for when the page itself cannot start. */
export function Notice({ title, text }: { title: string; text: string }) {
  return (
    <Shell>
      <div className={classes.notice}>
        <Seal sizePx={56} />
        <Title>{title}</Title>
        <Text c="dimmed">{text}</Text>
        <Button onClick={() => window.location.reload()}>Try again</Button>
      </div>
    </Shell>
  );
}
