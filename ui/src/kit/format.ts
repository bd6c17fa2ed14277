// How values are written. Times are UTC microseconds; they are shown in the viewer's zone.
import type { Schemas } from "../api/client";

const sameYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const otherYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const dayOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

const date = (at: number): Date | undefined => {
  const found = new Date(at / 1000);
  return Number.isNaN(found.getTime()) ? undefined : found;
};

export function time(at: number): string {
  const when = date(at);
  if (!when) return `${at} µs`;
  return (when.getFullYear() === new Date().getFullYear() ? sameYear : otherYear).format(when);
}

export function day(at: number): string {
  const when = date(at);
  return when ? dayOnly.format(when) : `${at} µs`;
}

export function utc(at: number): string {
  const when = date(at);
  return when ? `${when.toISOString().replace("T", " ").replace(/\.000Z$|Z$/, "")} UTC` : `${at} µs since 1970`;
}

export function duration(us: number): string {
  const s = us / 1e6;
  if (s < 0) return "–";
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}m ${Math.round(s % 60)}s`;
  const h = Math.floor(m / 60);
  return h < 48 ? `${h}h ${m % 60}m` : `${Math.floor(h / 24)}d ${h % 24}h`;
}

export function size(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return "unknown";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export type Value = Schemas["MetricOut"]["last"];

/** What a mapping of the record has under a key; keys are of any kind, `__proto__` too. */
export function at<T>(map: Record<string, T> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}

/** A metric's value as a number; texts are NaN and the infinities. */
export function numeric(value: Value | undefined): number {
  return value === undefined ? Number.NaN : typeof value === "number" ? value : Number(value);
}

export function figure(value: Value | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value === "Infinity" ? "∞" : value === "-Infinity" ? "−∞" : value;
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en").replace("-", "−");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(3).replace("-", "−").replace("e−", "e−");
  return String(Number(value.toPrecision(5))).replace("-", "−");
}

export function signed(value: number): string {
  return `${value > 0 ? "+" : ""}${figure(value)}`;
}

/** The difference of two metrics, where both are finite numbers. */
export function delta(now: Value | undefined, before: Value | undefined): number | undefined {
  const found = numeric(now) - numeric(before);
  return Number.isFinite(found) ? found : undefined;
}

export const short = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 12);
export const runId = (id: string): string => id.replace(/^run:/, "").slice(0, 12);

/** Whether more of a metric is better, by its name; undefined when the name does not tell. */
export function better(key: string): boolean | undefined {
  if (/loss|err|mse|mae|rmse|brier|latency|p9\d|_ms$|seconds|duration|perplexity|fpr|fnr/i.test(key)) return false;
  if (/auc|acc|f1|precision|recall|score|r2|ndcg|bleu|map$|tpr|iou/i.test(key)) return true;
  return undefined;
}

/** Texts from outside may hold signs that turn the writing direction; they are shown as boxes, not obeyed. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\u25af");
}
