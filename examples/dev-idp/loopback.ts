/** Is this the address of a socket whose other end is this machine? */
export function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));
}

/**
 * May a sign-in or sign-out end at this address? Yes for any port and path of this machine. It must be written the way a
 * browser would write it, so that no second reading (a backslash, a number as a host, a user name) leads elsewhere.
 */
export function isLoopbackUri(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "http:" || url.username !== "" || url.password !== "") return false;
  const isCanonical = text === url.href || `${text}/` === url.href;
  return isCanonical && !text.includes("#") && isLoopbackHostname(url.hostname);
}

/** Is this the origin of a web page of this machine, as a browser sends it? */
export function isLoopbackOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return url !== null && url.origin === origin && url.protocol === "http:" && isLoopbackHostname(url.hostname);
}

// Without [::1], which no Content-Security-Policy can name.
function isLoopbackHostname(hostname: string): boolean {
  return hostname === "127.0.0.1" || hostname === "localhost";
}
