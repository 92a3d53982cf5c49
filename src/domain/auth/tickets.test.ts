import { beforeEach, describe, expect, it } from "vitest";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { limits } from "../limits.ts";
import { openPrincipal } from "./open-access.ts";
import type { Principal } from "./principal.ts";
import { createTickets, type Tickets } from "./tickets.ts";
import { Withdrawal } from "./withdrawal.ts";

const startMs = 1_800_000_000_000;
const alice: Principal = {
  ...{ kind: "token", environment: "prod", isSuperUser: false, isOperator: false, grants: [], tokenId: "alice" },
  expiresAtMs: startMs + 3_600_000,
};
const path = "/v1/topics/c/t";

let elapsedMs: number;
let wheel: TimerWheel;
let tickets: Tickets;
beforeEach(() => {
  elapsedMs = 0;
  const clock = { monotonicMs: () => elapsedMs, wallMs: () => startMs + elapsedMs };
  wheel = new TimerWheel(clock);
  tickets = createTickets(clock, wheel);
});

const issue = (principal: Principal = alice, target = path) => tickets.issue(principal, "GET", target);
const refusal = "this ticket is not accepted: ";

describe("a ticket", () => {
  it("gives whoever made it, once", () => {
    const { ticket, expiresAtMs } = issue();
    expect([ticket, expiresAtMs]).toEqual([expect.stringMatching(/^[\w-]{43}$/), startMs + limits.ticketMs]);
    expect(tickets.redeem(ticket, "GET", path)).toBe(alice);
    expect(() => tickets.redeem(ticket, "GET", path)).toThrow(`${refusal}it is unknown, has been used, or has expired`);
  });

  it("is another each time, and each counts for itself", () => {
    const [first, second] = [issue().ticket, issue({ ...alice, tokenId: "bob" }).ticket];
    expect(first).not.toBe(second);
    expect(tickets.redeem(second, "GET", path).tokenId).toBe("bob");
    expect(tickets.redeem(first, "GET", path).tokenId).toBe("alice");
  });

  it("ends after its time, to the millisecond, whether or not the wheel has turned", () => {
    const [last, late] = [issue().ticket, issue().ticket];
    elapsedMs = limits.ticketMs - 1;
    expect(tickets.redeem(last, "GET", path)).toBe(alice);
    elapsedMs = limits.ticketMs;
    expect(() => tickets.redeem(late, "GET", path)).toThrow("has expired");
  });

  it.each([
    ["POST", path],
    ["HEAD", path],
    ["GET", "/v1/topics/c/t/items"],
    ["GET", "/v1/topics/c/T"],
    ["GET", "/v1/topics/c/t/"],
    ["GET", "/v1/topics/c%2Ft"],
  ])("is refused and used up at %s %s", (method, other) => {
    const { ticket } = issue();
    expect(() => tickets.redeem(ticket, method, other)).toThrow(`${refusal}it was made for another method or path`);
    expect(() => tickets.redeem(ticket, "GET", path)).toThrow("has been used");
  });

  it.each([
    ["/v1/topics/c/a%2fb%20%C3%BC", "/v1/topics/c/a%2Fb%20%c3%bc"],
    ["/v1/topics/c/ü x", "/v1/topics/c/%C3%BC%20x"],
    ["/v1/topics/%63/t", path],
    ["/v1/topics/x/../c/./t", path],
    ["/v1/topics/c/100%", "/v1/topics/c/100%"],
  ])("for %s is one for %s: spellings of one path", (issued, used) => {
    expect(tickets.redeem(issue(alice, issued).ticket, "GET", used)).toBe(alice);
  });

  it.each([
    ["/v1/topics/c/%2541%25zz", "/v1/topics/c/%41%zz"],
    ["/v1/topics/c/%2541x%25FF", "/v1/topics/c/%41x%FF"],
  ])("for %s is none for %s, which the router takes for another name", (issued, used) => {
    expect(() => tickets.redeem(issue(alice, issued).ticket, "GET", used)).toThrow("another method or path");
  });

  it.each([
    "",
    "/",
    "/v1",
    "v1/caches",
    "/v2/caches",
    "//host/v1/",
    "http://host/v1/caches",
    "/v1/../metrics",
    "/v1/caches?a=b",
    "/v1/#a",
  ])("is not made for %j", (target) => {
    expect(() => issue(alice, target)).toThrow('"path": must begin with /v1/ and have no query');
  });

  it("does not outlive the token that it was made with", () => {
    const short = { ...alice, expiresAtMs: startMs + 1000 };
    const { ticket, expiresAtMs } = issue(short);
    expect(expiresAtMs).toBe(short.expiresAtMs);
    elapsedMs = 1000;
    expect(() => tickets.redeem(ticket, "GET", path)).toThrow("the token that it was made with has expired");
  });

  it("ends with the credential that it was made with", () => {
    const withdrawal = new Withdrawal();
    const { ticket } = issue({ ...alice, withdrawal });
    withdrawal.withdraw("gone");
    expect(() => tickets.redeem(ticket, "GET", path)).toThrow(
      "the credential that it was made with has been taken back",
    );
  });

  it("is never repeated in a refusal", () => {
    for (const ticket of [issue().ticket, "hush-hush"]) {
      let text = "";
      try {
        tickets.redeem(ticket, "GET", "/v1/other");
      } catch (error) {
        text = String(error);
      }
      expect([text.startsWith("TodokuError: this ticket"), text.includes(ticket)]).toEqual([true, false]);
    }
  });
});

const principals = (count: number): Principal[] => Array.from({ length: count }, () => ({ ...openPrincipal }));

describe("tickets", () => {
  it("are bounded, and make room when they are used and when their time is over", () => {
    const somebody = principals(limits.ticketsMax / limits.ticketsPerPrincipal);
    const all = () =>
      somebody.flatMap((one) => Array.from({ length: limits.ticketsPerPrincipal }, () => issue(one).ticket));
    const [first = ""] = all();
    expect(() => issue()).toThrow(`${limits.ticketsMax} tickets wait to be used`);
    tickets.redeem(first, "GET", path);
    issue();
    expect(() => issue()).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
    elapsedMs = limits.ticketMs + 20;
    wheel.runOnce();
    all();
  });

  it("of one credential are bounded, so that it leaves some to others", () => {
    const [one, other] = principals(2);
    const first = issue(one).ticket;
    for (let n = 1; n < limits.ticketsPerPrincipal; n++) issue(one);
    expect(() => issue(one)).toThrow(`${limits.ticketsPerPrincipal} tickets of this credential wait to be used`);
    issue(other);
    tickets.redeem(first, "GET", path);
    issue(one);
    expect(() => issue(one)).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  });
});
