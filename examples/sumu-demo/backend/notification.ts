/** What a client hears. */
export interface ClientFrame {
  readonly type: "message" | "presence" | "connected_users" | "refused";
  readonly message: Readonly<Record<string, unknown>>;
}

/** Asks Todoku to hand `data` to users: to those of `users`, or else to everybody but those of `exclude_users`. */
export interface NotificationRequest {
  readonly users?: readonly string[];
  readonly exclude_users?: readonly string[];
  readonly data: ClientFrame;
  /** Stands in the frame: what comes twice has the same. */
  readonly id: string;
}
