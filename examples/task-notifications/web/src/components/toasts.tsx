import { type NotificationData, notifications } from "@mantine/notifications";
import { IconCheck, IconX } from "@tabler/icons-react";
import type { CheckedNotification } from "../tasks/notification.ts";

/** More than that are not to be seen at once: the others are summed up in one. */
const singlesMax = 3;
const textMaxLength = 160;
const doneMs = 6000;
const failedMs = 12_000;
const summaryId = "summary";

let singlesShown = 0;
/** What the toast that sums up stands for while it is there: it takes in what follows, or a hundred tasks would be thirty toasts. */
let summed: readonly CheckedNotification[] = [];

/** Shows ends of tasks as toasts. What comes while nobody looks waits in one. */
export function showNews(news: readonly CheckedNotification[]): void {
  if (document.hidden || summed.length > 0 || singlesShown + news.length > singlesMax) {
    sumUp(news);
  } else {
    for (const one of news) showSingle(one);
  }
}

/** When the user signs out, or another one in. */
export function clearToasts(): void {
  notifications.clean();
  summed = [];
  singlesShown = 0;
}

function showSingle(one: CheckedNotification): void {
  singlesShown++;
  const onClose = () => {
    singlesShown = Math.max(0, singlesShown - 1);
  };
  notifications.show({ ...toast([one], one.status === "failed" ? failedMs : doneMs), onClose });
}

function sumUp(news: readonly CheckedNotification[]): void {
  const isShown = summed.length > 0;
  summed = [...summed, ...news];
  const onClose = () => {
    summed = [];
  };
  const summary = { ...toast(summed, document.hidden ? false : failedMs), id: summaryId, onClose };
  if (isShown) notifications.update(summary);
  else notifications.show(summary);
}

function toast(news: readonly CheckedNotification[], autoClose: number | false): NotificationData {
  const hasFailed = news.some(({ status }) => status === "failed");
  const Sign = hasFailed ? IconX : IconCheck;
  return {
    autoClose,
    message: news.length === 1 && news[0] ? sentence(news[0]) : summary(news),
    color: hasFailed ? "#b3213b" : "#4f7a25",
    icon: <Sign size={18} aria-hidden />,
    role: "status",
    withBorder: true,
    closeButtonProps: { "aria-label": "Close" },
  };
}

function sentence({ status, text, message }: CheckedNotification): string {
  const full = message || `${status === "done" ? "Finished" : "Failed"} task: ${text}`;
  return full.length <= textMaxLength ? full : `${full.slice(0, textMaxLength).trimEnd()}…`;
}

function summary(news: readonly CheckedNotification[]): string {
  const failed = news.filter(({ status }) => status === "failed").length;
  const done = news.length - failed;
  if (failed === 0) return `Finished ${done} tasks`;
  return done === 0 ? `${failed} tasks failed` : `Finished ${done} ${done === 1 ? "task" : "tasks"}, ${failed} failed`;
}
