/** What the page is told when it starts, so that one build serves every stage. */
export interface Settings {
  /** The identity provider, any that speaks OpenID Connect. */
  readonly issuer: string;
  readonly clientId: string;
  /** The API's address; "" when it serves the page. */
  readonly apiUrl: string;
}

/** `GET /config.json`. @throws Error when it cannot be had. */
export async function loadSettings(): Promise<Settings> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`GET /config.json: ${response.status}`);
  const { issuer, clientId, apiUrl = "" } = (await response.json()) as Partial<Settings>;
  if (typeof issuer !== "string" || typeof clientId !== "string" || typeof apiUrl !== "string") {
    throw new Error("GET /config.json: issuer or clientId is missing");
  }
  return { issuer, clientId, apiUrl: apiUrl.replace(/\/$/, "") };
}
