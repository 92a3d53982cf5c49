/** A WebSocket of which a test plays the server's part. */
export class TestSocket {
  static readonly all: TestSocket[] = [];
  readonly url: string;
  readonly protocols: readonly string[];
  readonly sent: Record<string, unknown>[] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(url: string, protocols: readonly string[]) {
    this.url = url;
    this.protocols = protocols;
    TestSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(code: number): void {
    this.closedWith = code;
  }

  /** Lets the client in. */
  accept(): void {
    this.onopen?.();
    this.answer({ type: "pong", statusCode: 200, connectionId: "c" });
  }
  /** To the last frame that came. */
  answer(frame: object): void {
    this.tell({ ...frame, id: this.sent.at(-1)?.id });
  }
  tell(frame: unknown): void {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }
  end(code: number, reason = ""): void {
    this.onclose?.({ code, reason });
  }
}
