// Preloaded into the handler's process (`--import`): what its `@gomomento/sdk` is. The last version that was found to export `WebhookUtils`; with
// SDK=current the current one, and what it lacks by hand.
import { registerHooks } from "node:module";

const handlerUrl = new URL("handler.ts", import.meta.url).href;
const sdk = process.env.SDK === "current" ? new URL("current-sdk.ts", import.meta.url).href : "momento-sdk-1.111";
registerHooks({
  resolve(specifier, context, next) {
    const isOfHandler = context.parentURL === handlerUrl && specifier === "@gomomento/sdk";
    return next(isOfHandler ? sdk : specifier, context);
  },
});
