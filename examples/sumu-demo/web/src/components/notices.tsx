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
import { messageOf } from "../people/messages.ts";
import { nameOfUser, type People } from "../people/people.ts";

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
const busy: Look = { color: colours.busy, icon: <IconRefresh size={18} aria-hidden />, autoClose: false };
const message: Look = { color: colours.busy, icon: <IconMessage size={18} aria-hidden />, autoClose: longMs };
const came: Look = { ...good, icon: <IconUserPlus size={18} aria-hidden /> };
const went: Look = { ...bad, icon: <IconUserMinus size={18} aria-hidden />, autoClose: shortMs };
const sent: Look = { ...good, icon: <IconSend size={18} aria-hidden /> };

/** Those that are to be seen, oldest first: what is new must not wait behind what was read. */
let shown: readonly string[] = [];

/** The same `id` is the same notice: it changes while it is to be seen. */
function show(look: Look, title: string, text = "", id: string = crypto.randomUUID()): void {
  const closeButtonProps = { "aria-label": "Close" };
  const notice = { ...look, id, title, message: text, withBorder: true, role: "status", closeButtonProps };
  notifications.show(notice);
  notifications.update(notice);
  shown = [...shown.filter((other) => other !== id), id];
  for (const oldest of shown.slice(0, -shownMax)) notifications.hide(oldest);
  shown = shown.slice(-shownMax);
}

/** What a user is told of what they do. */
export const notices = {
  sent: (how: "Published" | "Sent", where: string) => show(sent, how, where),
  notSent: (reason: string) => show(bad, "Not sent", `Your text is kept: ${reason}.`),
  notConnected: () => show(warning, "Not connected", "Connect first."),
  clear: () => notifications.clean(),
};

/** What a user is told of what happens. */
export function tellEvent(event: LiveEvent, people: People): void {
  if (event.type === "frame") tellFrame(event.frame, people);
  if (event.type === "connected") showLine(good, "Connected");
  if (event.type === "disconnected") showLine(bad, "Disconnected");
  if (event.type === "gave-up") showLine({ ...bad, autoClose: false }, ...gaveUpTexts(event));
  if (event.type === "reconnecting")
    showLine(busy, "Reconnecting", `The next try is in ${Math.ceil(event.inMs / 1000)} s.`);
}

/** The line is in one state at a time. */
const showLine = (look: Look, title: string, text = "") => show(look, title, text, "line");

function gaveUpTexts({ why, reason }: GaveUp): [title: string, text: string] {
  if (why === "offline") return ["Gave up", "There is no network. The page connects when it is back."];
  if (why === "signed-out") return ["Gave up", "Your sign-in has ended. Log out, and sign in again."];
  const because = reason === "" ? "" : `: ${reason}`;
  if (why === "refused") return ["Gave up", `The server does not let you in${because}.`];
  return ["You were signed out", `The server ended this connection${because}.`];
}

function tellFrame(frame: Frame, people: People): void {
  const { type, message: content } = frame;
  const chat = messageOf(frame, people);
  if (chat) show(message, `New message from ${chat.from}`, chat.text);
  if (type === "pong") show({ ...good, color: colours.quiet }, "Pong", "The server is there.");
  if (typeof content !== "object" || content === null) return;
  const { user_id, name, status, reason } = content as Frame;
  const who = typeof name === "string" ? name : nameOfUser(people, String(user_id));
  if (type === "refused") show(bad, "Refused", String(reason));
  if (type === "presence") show(status === "ONLINE" ? came : went, "Presence", `${who} is ${status}`);
}
