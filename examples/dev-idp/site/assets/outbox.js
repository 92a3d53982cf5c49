// Keeps the list up to date without reloading the page, which would take the focus away.
const everyMs = 2000;

async function refresh() {
  const response = await fetch("/outbox", { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("mails");
  const shown = document.getElementById("mails");
  if (next !== null && next.innerHTML !== shown.innerHTML) shown.replaceChildren(...next.childNodes);
}

// A server that is away for a while is asked again.
setInterval(() => refresh().catch(() => {}), everyMs);
