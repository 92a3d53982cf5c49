export type PushMode = "UNICAST" | "MULTICAST" | "BROADCAST";

/** What a user writes. The backend reads the sender from what Todoku knows, never from here. */
export interface ChatMessage {
  readonly text: string;
  readonly push_mode: PushMode;
  /** Of MULTICAST. */
  readonly users?: readonly string[];
}

/** The backend's bound, in UTF-16 units. */
export const textMaxLength = 150;
