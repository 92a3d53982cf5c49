// `node examples/course-comments/article/function-url.ts`: stands in for the Lambda function URL of the article, on PORT, for its unmodified
// handler. What the handler imports leads where the comments below say. Prints its address.
import { createServer } from "node:http";
import { registerHooks } from "node:module";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

interface FunctionAnswer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}
type Handler = (event: { readonly headers: Record<string, string>; readonly body: string }) => Promise<FunctionAnswer>;

const handlerUrl = new URL("handler.ts", import.meta.url).href;
const imports: Readonly<Record<string, string>> = {
  // The last version that was found to export `WebhookUtils`; with SDK=current the current one, and what it lacks by hand.
  "@gomomento/sdk":
    process.env.SDK === "current" ? new URL("current-sdk.ts", import.meta.url).href : "momento-sdk-1.111",
  // Todoku does not speak AWS's protocol yet.
  "@aws-sdk/client-secrets-manager": new URL("secrets-manager.ts", import.meta.url).href,
};
registerHooks({
  resolve(specifier, context, next) {
    const isOfHandler = context.parentURL === handlerUrl;
    return next((isOfHandler && imports[specifier]) || specifier, context);
  },
});
const { handler } = (await import(handlerUrl)) as { handler: Handler };

const server = createServer(async (request, response) => {
  const body = await text(request);
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const answer = await handler({ headers, body });
  response.writeHead(answer.statusCode, answer.headers).end(answer.body);
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  process.stdout.write(`Function URL http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
