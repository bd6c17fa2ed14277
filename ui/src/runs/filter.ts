// The filter as people type it: what could come next, and where the server stopped reading.
import { quote } from "../app/route";
import { plain } from "../kit/format";

export interface Keys {
  metrics: string[];
  params: string[];
  tags: string[];
}

const FIELDS = ["job", "name", "state", "kind", "actor", "started_at", "ended_at", "group"];
const STATES = ["running", "finished", "failed", "killed", "lost"];
const SIMPLE = /^[A-Za-z_][\w./-]*$/;

/** A key as the query language writes it. */
export function field(scope: keyof Keys, key: string): string {
  if (SIMPLE.test(key)) return `${scope}.${key}`;
  return key.includes('"') ? `${scope}.\`${key}\`` : `${scope}."${key}"`;
}

/** The word at the cursor and what it could become. */
export function complete(text: string, cursor: number, keys: Keys, most = 8): { from: number; options: string[] } {
  const before = text.slice(0, cursor);
  const from = Math.max(before.lastIndexOf(" ") + 1, 0);
  const word = before.slice(from).toLowerCase();
  const rest = before.slice(0, from).trimEnd();
  if (/\bstate\s*!?=$/i.test(rest)) return { from, options: STATES.filter((state) => state.startsWith(word)) };
  if (/(=|<|>|LIKE)$/i.test(rest)) return { from, options: [] };
  if (/(=|<|>|LIKE)\s+\S+$/i.test(rest)) return { from, options: "and".startsWith(word) ? ["AND "] : [] };
  if (rest && !/\bAND$/i.test(rest)) return { from, options: [">", "<", "=", "!=", ">=", "<=", "LIKE"].filter((op) => op.startsWith(word.toUpperCase())) };
  const all = [...FIELDS, ...(["metrics", "params", "tags"] as const).flatMap((scope) => keys[scope].map((key) => field(scope, key)))];
  const starts = all.filter((name) => name.toLowerCase().startsWith(word));
  const holds = all.filter((name) => !name.toLowerCase().startsWith(word) && name.toLowerCase().includes(word));
  return { from, options: [...starts, ...holds].slice(0, most).map((name) => `${name} `) };
}

/** Where the server stopped reading, counted from 0; undefined when it does not say. */
export function stopped(message: string): number | undefined {
  const found = /^at character (\d+)/.exec(message)?.[1];
  return found ? Number(found) - 1 : undefined;
}

/** Why, without the place, which is shown by itself. */
export const reason = (message: string): string => (message.split("\n")[0] ?? "").replace(/^at character \d+ of the query: /, "");

export interface Sorting {
  field: string;
  descending: boolean;
}

export function sorting(order: string): Sorting | undefined {
  const found = /^(.*?)(?:\s+(asc|desc))?$/i.exec(order.trim());
  return found?.[1] ? { field: found[1], descending: found[2]?.toLowerCase() !== "asc" } : undefined;
}

/** Turns through descending, ascending, and the server's own order. */
export function nextOrder(order: string, wanted: string): string {
  const now = sorting(order);
  if (now?.field !== wanted) return `${wanted} desc`;
  return now.descending ? `${wanted} asc` : "";
}

/** One cell of a CSV file. A text that a spreadsheet would take for a formula gets an apostrophe in front. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  let text = plain(String(value));
  if (/^[=+@\t]|^-(?![\d.])/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csv = (rows: unknown[][]): string => rows.map((row) => row.map(cell).join(",")).join("\r\n");

/** The part of a query that means the runs of one group. */
export function within(where: string, by: string, value: string | null): string {
  const dot = by.indexOf(".");
  const name = dot > 0 ? field(by.slice(0, dot) as "params" | "tags", by.slice(dot + 1)) : by;
  const own = value === null ? (by === "group" ? "" : `${name} IS NULL`) : `${name} = ${quote(value)}`;
  return [where.trim() ? `(${where.trim()})` : "", own].filter(Boolean).join(" AND ");
}
