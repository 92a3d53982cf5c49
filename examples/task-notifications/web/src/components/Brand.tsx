import classes from "./Brand.module.css";

/** The mark 届く ("it arrives") as a seal. */
export function Seal({ sizePx = 36 }: { sizePx?: number }) {
  return (
    <span className={classes.seal} style={{ "--seal-size": `${sizePx}px` }} lang="ja" aria-hidden="true">
      届く
    </span>
  );
}

export function Brand() {
  return (
    <span className={classes.brand}>
      <Seal />
      <span className={classes.name}>Todoku</span>
    </span>
  );
}
