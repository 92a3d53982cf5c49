import "@mantine/core/styles.css";
import "../../../task-notifications/web/src/page.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { AuthProvider } from "react-oidc-context";
import { createIdTokenSource } from "../../../task-notifications/web/src/auth/id-token.ts";
import { cleanAddress } from "../../../task-notifications/web/src/auth/use-sign-in.ts";
import { createUserManager } from "../../../task-notifications/web/src/auth/user-manager.ts";
import { Notice } from "../../../task-notifications/web/src/components/Notice.tsx";
import { loadSettings, type Settings } from "../../../task-notifications/web/src/settings.ts";
import { cssVariables, theme } from "../../../task-notifications/web/src/theme.ts";
import { App } from "./App.tsx";
import { createApi } from "./api.ts";

const root = createRoot(document.getElementById("root") as HTMLElement);
const view = await loadSettings().then(signedIn, () => (
  <Notice title="The page could not start" text="Its server does not answer. It may be starting just now." />
));
root.render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      {view}
    </MantineProvider>
  </StrictMode>,
);

function signedIn(settings: Settings) {
  const manager = createUserManager(settings);
  const api = createApi(settings.apiUrl, createIdTokenSource(manager));
  return (
    <AuthProvider userManager={manager} onSigninCallback={cleanAddress}>
      <App api={api} manager={manager} />
    </AuthProvider>
  );
}
