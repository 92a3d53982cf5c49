import { aTarget } from "./outbound-target.ts";

/** What a function gets. */
// biome-ignore lint/suspicious/noExplicitAny: events are looked at as tests please.
export type FunctionEvent = any;

/** A function behind a URL, in the test itself: what `answer` returns is its result, what it throws its error. All events are kept. */
export async function aFunctionEndpoint(answer: (event: FunctionEvent) => unknown) {
  const events: FunctionEvent[] = [];
  const waiting = new Set<() => void>();
  const state = { answer };
  const target = await aTarget(async ({ body }, _request, response) => {
    const event: FunctionEvent = JSON.parse(body.toString());
    events.push(event);
    for (const wake of waiting) wake();
    try {
      response.end(JSON.stringify((await state.answer(event)) ?? null));
    } catch (error) {
      const { name, message } = error as Error;
      response.setHeader("x-amz-function-error", "Unhandled");
      response.end(JSON.stringify({ errorType: name, errorMessage: message }));
    }
  });
  return {
    ...{ events, state, url: target.url },
    /** The first event of which `is` says yes; waits for it. */
    async find(is: (event: FunctionEvent) => boolean): Promise<FunctionEvent> {
      for (;;) {
        const found = events.find(is);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
    [Symbol.asyncDispose]: target[Symbol.asyncDispose],
  };
}
