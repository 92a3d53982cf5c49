/** What the page is told when it starts, so that one build serves every stage. */
export interface Settings {
  /** The identity provider, any that speaks OpenID Connect. */
  readonly issuer: string;
  readonly clientId: string;
  /** Of the WebSocket. */
  readonly gatewayUrl: string;
  /** When users sign in with Firebase. */
  readonly firebase?: { readonly apiKey: string; readonly authDomain: string; readonly projectId: string };
}

/** `GET /config.json`. @throws Error when it cannot be had. */
export async function loadSettings(): Promise<Settings> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`GET /config.json: ${response.status}`);
  const settings = (await response.json()) as Partial<Settings>;
  for (const name of ["issuer", "clientId", "gatewayUrl"] as const)
    if (typeof settings[name] !== "string") throw new Error(`GET /config.json: ${name} is missing`);
  return settings as Settings;
}
