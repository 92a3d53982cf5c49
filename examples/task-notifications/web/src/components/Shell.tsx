import type { ReactNode } from "react";
import { Brand } from "./Brand.tsx";
import { SchemeSwitch } from "./SchemeSwitch.tsx";
import classes from "./Shell.module.css";

/** What every view has around it. `actions` stand at the right of the header. */
export function Shell({ actions, children }: { actions?: ReactNode; children: ReactNode }) {
  return (
    <>
      <header className={classes.header}>
        <Brand />
        <div className={classes.actions}>
          <SchemeSwitch />
          {actions}
        </div>
      </header>
      <main className={classes.main}>{children}</main>
      <footer className={classes.footer}>
        <span lang="ja">届く</span>, todoku: it arrives
      </footer>
    </>
  );
}
