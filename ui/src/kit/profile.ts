// Histograms of profiles as shapes, and drift in words. No drawing here.
import type { Schemas } from "../api/client";
import { figure } from "./format";

export type ColumnProfile = Schemas["ColumnProfile"];
export type ColumnDrift = Schemas["ColumnDrift"];

export interface Bar {
  x: number; // 0 to 1
  width: number;
  height: number; // 0 to 1
  label: string;
}

/** The part of all values that lies within the range that both profiles have. */
export function range(...columns: (ColumnProfile | undefined)[]): [number, number] | undefined {
  const edges = columns.flatMap((column) => (column?.edges?.length ? [column.edges[0] as number, column.edges.at(-1) as number] : []));
  if (!edges.length) return undefined;
  const [low, high] = [Math.min(...edges), Math.max(...edges)];
  return low < high ? [low, high] : undefined;
}

/** Shares of values in equal parts of a range, read off quantile bins as if values lay evenly within one. */
export function shares(column: ColumnProfile, [low, high]: [number, number], parts = 24): number[] {
  const [edges, counts] = [column.edges ?? [], column.counts ?? []];
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  const found = new Array<number>(parts).fill(0);
  const width = (high - low) / parts;
  counts.forEach((count, n) => {
    const [from, to] = [edges[n] as number, edges[n + 1] as number];
    const span = to - from;
    if (!(span > 0)) return;
    for (let part = Math.max(0, Math.floor((from - low) / width)); part < parts && low + part * width < to; part += 1) {
      const inside = Math.min(to, low + (part + 1) * width) - Math.max(from, low + part * width);
      if (inside > 0) found[part] = (found[part] ?? 0) + (count / total) * (inside / span);
    }
  });
  return found;
}

/** The values that either of two columns lists, the most frequent of the first before all, with their shares in both. */
export function listed(now: ColumnProfile, before: ColumnProfile | undefined, most = 8): { value: string; now: number; before?: number }[] {
  const whole = (column: ColumnProfile) => (column.top ?? []).reduce((sum, one) => sum + one.count, 0) + (column.other ?? 0) || 1;
  const shareOf = (column: ColumnProfile) => new Map((column.top ?? []).map((one) => [String(one.value), one.count / whole(column)]));
  const here = shareOf(now);
  const there = before?.top?.length ? shareOf(before) : undefined;
  const names = [...new Set([...here.keys(), ...(there?.keys() ?? [])])].slice(0, most);
  return names.map((value) => ({ value, now: here.get(value) ?? 0, ...(there ? { before: there.get(value) ?? 0 } : {}) }));
}

export type Verdict = "none" | "small" | "drifted" | "untold";

/** What is said of a column's drift, from most to least. */
export function verdict(drift: ColumnDrift | undefined): Verdict {
  if (!drift) return "none";
  if (drift.drifted) return "drifted";
  return drift.psi === null || drift.psi === undefined ? "untold" : "small";
}

/** PSI, JS and KS as far as they are known. */
export function measures(drift: ColumnDrift): string {
  return ([["PSI", drift.psi], ["JS", drift.js], ["KS", drift.ks]] as const).filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => `${name} ${(value as number) < 0.0005 ? "< 0.001" : figure(Number((value as number).toPrecision(2)))}`).join(" · ");
}
