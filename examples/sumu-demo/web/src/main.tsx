import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "../../../task-notifications/web/src/page.css";
import "./theme.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Notice } from "../../../task-notifications/web/src/components/Notice.tsx";
import { cssVariables, theme } from "../../../task-notifications/web/src/theme.ts";
import { App } from "./App.tsx";
import { loadSettings, type Settings } from "./settings.ts";
import { createSignIn } from "./sign-in/providers.ts";

const root = createRoot(document.getElementById("root") as HTMLElement);
const view = await loadSettings().then(signedIn, () => (
  <Notice title="The page could not start" text="Its server does not answer. It may be starting just now." />
));
root.render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <Notifications position="bottom-right" limit={50} />
      {view}
    </MantineProvider>
  </StrictMode>,
);

function signedIn(settings: Settings) {
  try {
    return <App settings={settings} signIn={createSignIn(settings)} />;
  } catch (error) {
    return <Notice title="The page could not start" text={error instanceof Error ? error.message : String(error)} />;
  }
}
