// How questions are written to the server, and those that are sent before the part of the page that asks them has arrived.
// Nothing of a library here: this is the first that runs.
import { safeGet, safeSet } from "../app/theme";

const KEY = "lineal.token";
const session = (() => {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
})();

export function token(): string {
  return safeGet(KEY, session) ?? safeGet(KEY) ?? "";
}

export function keepToken(text: string, remember: boolean): void {
  safeSet(KEY, null);
  safeSet(KEY, text || null, session);
  if (remember && text) safeSet(KEY, text);
  begun.clear();
}

/** Where the server's own paths begin, with a slash behind it. */
export const home = (): string => new URL(".", document.baseURI).href.replace(/[#?].*$/, "");
export const V1 = "/api/lineal/v1" as const;

/** Parameters as they stand behind `?`; what is not given is left out, and so are empty lists. */
export function written(query: Record<string, unknown>): string {
  const pair = (name: string, value: unknown) => `${name}=${encodeURIComponent(String(value))}`;
  return Object.entries(query).flatMap(([name, value]) => (value === undefined || value === null ? [] : Array.isArray(value) ? value.map((one) => pair(name, one)) : [pair(name, value)])).join("&");
}

const FRESH = 30_000; // ms for which an answer that nobody took is as good as a new one
const begun = new Map<string, { answer: Promise<Response>; at: number }>();

/** Send a question now; who asks the same later gets this answer. */
export function begin(path: string, query: Record<string, unknown> = {}): void {
  const asked = written(query);
  const url = new URL(`${home().replace(/\/$/, "")}${V1}${path}${asked ? `?${asked}` : ""}`).href; // as a Request writes it
  const shown = token();
  const answer = fetch(url, { credentials: "same-origin", headers: { Accept: "application/json", ...(shown ? { Authorization: `Bearer ${shown}` } : {}) } });
  answer.catch(() => undefined); // told to who takes it
  begun.set(url, { answer, at: Date.now() });
}

/** The answer to a question: the one that was begun for it, once, else a new one. */
export function answer(request: Request): Promise<Response> {
  const known = request.method === "GET" ? begun.get(request.url) : undefined;
  begun.delete(request.url);
  return known && Date.now() - known.at < FRESH ? known.answer : fetch(request);
}
