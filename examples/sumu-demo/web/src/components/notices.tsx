import { type NotificationData, notifications } from "@mantine/notifications";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleX,
  IconMessage,
  IconRefresh,
  IconSend,
  IconUserMinus,
  IconUserPlus,
} from "@tabler/icons-react";
import type { Frame } from "../live/frame.ts";
import type { GaveUp, LiveEvent } from "../live/live-event.ts";
import { nameOf, type People } from "../people/people.ts";

/** White signs on these have a contrast of 4.5 at least. */
const colours = { good: "#4f7a25", bad: "#b3213b", busy: "#27598a", quiet: "#665d52" };
/** More would cover the page. */
const shownMax = 4;
const shortMs = 4000;
const longMs = 10_000;

type Look = Pick<NotificationData, "color" | "icon" | "autoClose">;
const good: Look = { color: colours.good, icon: <IconCircleCheck size={18} aria-hidden />, autoClose: shortMs };
const bad: Look = { color: colours.bad, icon: <IconCircleX size={18} aria-hidden />, autoClose: longMs };
const warning: Look = { color: colours.bad, icon: <IconAlertTriangle size={18} aria-hidden />, autoClose: shortMs };
const busy: Look = { color: colours.busy, icon: <IconRefresh size={18} aria-hidden />, autoClose: shortMs };
const message: Look = { color: colours.busy, icon: <IconMessage size={18} aria-hidden />, autoClose: longMs };
const came: Look = { ...good, icon: <IconUserPlus size={18} aria-hidden /> };
const went: Look = { ...bad, icon: <IconUserMinus size={18} aria-hidden />, autoClose: shortMs };
const sent: Look = { ...good, icon: <IconSend size={18} aria-hidden /> };

/** Those that are to be seen, oldest first: what is new must not wait behind what was read. */
let shown: readonly string[] = [];

function show(look: Look, title: string, text = ""): void {
  const closeButtonProps = { "aria-label": "Close" };
  const id = notifications.show({ ...look, title, message: text, withBorder: true, role: "status", closeButtonProps });
  shown = [...shown, id];
  for (const oldest of shown.slice(0, -shownMax)) notifications.hide(oldest);
  shown = shown.slice(-shownMax);
}

/** What a user is told of what they do. */
export const notices = {
  sent: (how: "Published" | "Sent") => show(sent, how, "Todoku has it; its answer comes by itself."),
  notSent: (reason: string) => show(bad, "Not sent", `Your text is kept: ${reason}.`),
  notConnected: () => show(warning, "Not connected", "Connect first."),
  emptyText: () => show(warning, "The text is empty", "Write something first."),
  noUsers: () => show(warning, "No users chosen", "MULTICAST needs at least one."),
  clear: () => notifications.clean(),
};

/** What a user is told of what happens. */
export function tellEvent(event: LiveEvent, people: People): void {
  if (event.type === "frame") tellFrame(event.frame, people);
  if (event.type === "connected") show(good, "Connected");
  if (event.type === "disconnected") show(bad, "Disconnected");
  if (event.type === "gave-up") show({ ...bad, autoClose: false }, "Gave up", gaveUpText(event));
  if (event.type === "reconnecting")
    show(busy, "Reconnecting", `The next try is in ${Math.ceil(event.inMs / 1000)} s.`);
}

function gaveUpText({ why, reason }: GaveUp): string {
  if (why === "offline") return "There is no network. The page connects when it is back.";
  if (why === "signed-out") return "Your sign-in has ended. Log out, and sign in again.";
  return `The server does not let you in${reason === "" ? "" : `: ${reason}`}.`;
}

function tellFrame({ type, message: content }: Frame, people: People): void {
  if (type === "pong") show({ ...good, color: colours.quiet }, "Pong", "The server is there.");
  if (typeof content !== "object" || content === null) return;
  const { text, user_id, name, status, reason } = content as Frame;
  const who = typeof name === "string" ? name : nameOf(people.get(String(user_id)) ?? nobodyCalled(String(user_id)));
  if (type === "message") show(message, `New message from ${who}`, String(text));
  if (type === "refused") show(bad, "Refused", String(reason));
  if (type === "presence") show(status === "ONLINE" ? came : went, "Presence", `${who} is ${status}`);
}

const nobodyCalled = (userId: string) => ({ userId, name: undefined });
