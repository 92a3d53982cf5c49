import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import type { Connection, EndAdvice, SharedMessage } from "../../src/domain/connections/connection.ts";
import type { Connections } from "../../src/domain/connections/connections.ts";

/** A connection that a test looks at: all of it is real but for the socket. */
export interface TestConnection extends Disposable {
  readonly connection: Connection;
  /** What it got. */
  readonly frames: string[];
  /** False: its client does not read. */
  takes: boolean;
  /** Undefined until it is ended. */
  ended: EndAdvice | undefined;
  close(): void;
}

/** Opens one; `userId` undefined: nobody has signed in. */
export function aConnection(
  connections: Connections,
  userId: string | undefined,
  {
    environment = "dev",
    tokenId = "",
    ...about
  }: Partial<Pick<Connection, "environment" | "path" | "userAgent">> & { readonly tokenId?: string } = {},
): TestConnection {
  const outlet = {
    lastActiveAtMs: 0,
    deliver(message: SharedMessage) {
      if (test.takes) test.frames.push(message.text);
      return test.takes;
    },
    end(advice: EndAdvice) {
      test.ended = advice;
      test.close();
    },
  };
  const principal = { ...openPrincipal, environment, tokenId, ...(userId === undefined ? {} : { userId }) };
  const known = { path: "/push", address: "127.0.0.1", userAgent: "", ...about };
  const connection = connections.open({ environment, userId, principal, ...known, outlet });
  const test: TestConnection = {
    ...{ connection, frames: [], takes: true, ended: undefined },
    close: () => connections.close(connection),
    [Symbol.dispose]: () => connections.close(connection),
  };
  return test;
}
