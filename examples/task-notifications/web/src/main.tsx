import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./page.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { AuthProvider } from "react-oidc-context";
import { App } from "./App.tsx";
import { createApi } from "./api/api.ts";
import { createIdTokenSource } from "./auth/id-token.ts";
import { cleanAddress } from "./auth/use-sign-in.ts";
import { createUserManager } from "./auth/user-manager.ts";
import { Notice } from "./components/Notice.tsx";
import { loadSettings, type Settings } from "./settings.ts";
import { cssVariables, theme } from "./theme.ts";

const root = createRoot(document.getElementById("root") as HTMLElement);
const view = await loadSettings().then(signedIn, () => (
  <Notice title="The page could not start" text="Its server does not answer. It may be starting just now." />
));
root.render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <Notifications position="bottom-right" limit={4} />
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
