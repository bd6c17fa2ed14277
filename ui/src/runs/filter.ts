// The filter as people type it: what could come next, and where the server stopped reading.
import { quote } from "../app/route";
import { plain } from "../kit/format";

export interface Keys {
  metrics: string[];
  params: string[];
  tags: string[];
}

const FIELDS = ["job", "name", "state", "kind", "actor", "started_at", "ended_at", "group", "namespace", "run_id", "tag"];
const STATES = ["running", "finished", "failed", "killed", "lost"];
const OPERATORS = [">", "<", "=", "!=", ">=", "<=", "LIKE ", "ILIKE ", "NOT LIKE ", "=~ ", "!~ ", "IN (", "NOT IN (", "IS NULL ", "IS NOT NULL "];
const CALLS = ["used", "generated", "upstream", "downstream"];
const KINDS = ["dataset:", "model:", "job:", "run:"];
const TERMS = ["from ", "into ", ...CALLS.map((name) => `${name}(`), "NOT "];
const VALUED = /^(job|name|kind|actor|group|params\..+|tags\..+)$/; // fields of which the server can say what values there are
const TOKEN = /\s+|'(?:[^'\\]|''|\\.)*'?|<=|>=|!=|<>|==|=~|!~|[=<>(),;~!]|(?:[^\s=!<>()'"`,;~]|`[^`]*`?|"[^"]*"?)+/gy;
const SIMPLE = /^[A-Za-z_][\w./-]*$/;

/** A key as the query language writes it. */
export function field(scope: keyof Keys, key: string): string {
  if (SIMPLE.test(key)) return `${scope}.${key}`;
  return key.includes('"') ? `${scope}.\`${key}\`` : `${scope}."${key}"`;
}

/** What a place in a query wants next. */
type Wanted = "term" | "argument" | "operator" | "negated" | "is" | "null" | "value" | "open" | "item" | "comma" | "call" | "ref" | "of" | "time" | "after";

/** What the text before the cursor leads to: what is wanted there, of which field, and what is still open. */
function read(text: string): { wanted: Wanted; field: string; open: ("(" | "call" | "list")[] } {
  let [wanted, field]: [Wanted, string] = ["term", ""];
  const open: ("(" | "call" | "list")[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const word = token.toLowerCase();
    if (!token.trim()) continue;
    if (token === ")" && ["after", "comma", "item", "operator"].includes(wanted)) {
      open.pop();
      wanted = "after";
    } else if (wanted === "term" || wanted === "argument") {
      if (word === "(") open.push("(");
      else if (word === "from" || word === "into") wanted = "ref";
      else if (CALLS.includes(word)) wanted = "call";
      else if (word === "as" || word === "valid") wanted = "of";
      else if (word !== "not") [wanted, field] = ["operator", token];
    } else if (wanted === "call") {
      if (word === "(") open.push("call");
      wanted = word === "(" ? "argument" : "value";
    } else if (wanted === "operator" || wanted === "negated") wanted = word === "not" ? "negated" : word === "is" ? "is" : word === "in" ? "open" : "value";
    else if (wanted === "is") wanted = word === "not" ? "null" : "after";
    else if (wanted === "open") {
      open.push("list");
      wanted = "item";
    } else if (wanted === "item") wanted = "comma";
    else if (wanted === "comma") wanted = "item";
    else if (wanted === "of") wanted = "time";
    else if (wanted === "after") wanted = word === "and" || word === "or" ? "term" : word === "as" || word === "valid" ? "of" : "after";
    else wanted = "after"; // a value, a reference, a time, NULL
  }
  return { wanted, field, open };
}

export interface Completion {
  from: number; // where the word at the cursor begins
  options: string[];
  values?: string; // the field whose values are wanted too
  refs?: string; // the beginning of the name of something
}

/** The word at the cursor and what it could become. */
export function complete(text: string, cursor: number, keys: Keys, most = 14): Completion {
  const before = text.slice(0, cursor);
  const last = [...before.matchAll(TOKEN)].at(-1);
  const typing = last && last.index + last[0].length === cursor && !/^[\s=!<>(),;~]/.test(last[0]);
  const from = typing ? last.index : cursor;
  const word = before.slice(from).toLowerCase();
  const { wanted, field: name, open } = read(before.slice(0, from));
  const fit = (all: readonly string[]) => {
    const starts = all.filter((one) => one.toLowerCase().startsWith(word) && one.trim().toLowerCase() !== word);
    return [...starts, ...all.filter((one) => word && !one.toLowerCase().startsWith(word) && one.toLowerCase().includes(word))].slice(0, most);
  };
  const close = open.length ? [")"] : [];
  if (wanted === "operator" && open.at(-1) === "call") return { from, options: [...fit(OPERATORS), ...(word ? [] : close)] };
  if (wanted === "operator") return { from, options: fit(OPERATORS) };
  if (wanted === "negated") return { from, options: fit(["LIKE ", "ILIKE ", "IN ("]) };
  if (wanted === "is" || wanted === "null") return { from, options: fit(wanted === "is" ? ["NULL ", "NOT NULL "] : ["NULL "]) };
  if (wanted === "open" || wanted === "call") return { from, options: word ? [] : ["("] };
  if (wanted === "comma") return { from, options: word ? [] : [", ", ") "] };
  if (wanted === "of") return { from, options: fit(/\bvalid\s*$/i.test(before.slice(0, from)) ? ["at '"] : ["of '"]) };
  if (wanted === "time") return { from, options: [] };
  if (wanted === "after") return { from, options: [...fit(["AND ", "OR ", "as of '", "valid at '"]), ...(word ? [] : close)] };
  if (wanted === "ref") return { from, options: fit(KINDS), refs: before.slice(from) };
  if (wanted === "value" || wanted === "item") return name.toLowerCase() === "state" ? { from, options: fit(STATES) } : { from, options: [], ...(VALUED.test(name) ? { values: name } : {}) };
  const own = (["metrics", "params", "tags"] as const).map((scope) => keys[scope].map((key) => `${field(scope, key)} `));
  const all = word ? [...FIELDS.map((one) => `${one} `), ...own.flat(), ...TERMS] : [...FIELDS.slice(0, 4).map((one) => `${one} `), ...own.flatMap((some) => some.slice(0, 2)), ...TERMS];
  return { from, options: fit(all), ...(wanted === "argument" ? { refs: before.slice(from) } : {}) };
}

/** A value or reference as the query language writes it. */
export const written = (text: string): string => (/^[\w.@:/-]+$/.test(text) && !/^(and|or|not|in|like|is|null)$/i.test(text) ? text : quote(text));

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
export function within(where: string, by: string, { value, low, high }: { value: string | null; low?: number | null; high?: number | null }): string {
  const dot = by.indexOf(".");
  const name = dot > 0 ? field(by.slice(0, dot) as "params" | "tags" | "metrics", by.slice(dot + 1)) : by;
  const own = value === null ? (by === "group" ? "" : `${name} IS NULL`) : typeof low === "number" && typeof high === "number" ? (low === high ? `${name} = ${low}` : `${name} >= ${low} AND ${name} < ${high}`) : `${name} = ${quote(value)}`;
  return [where.trim() ? `(${where.trim()})` : "", own].filter(Boolean).join(" AND ");
}
