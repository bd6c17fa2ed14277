// What each screen asks first. One list for those who ask early and for those who ask when they are there.
import { asked, wanted } from "../lineage/asked";
import type { Place } from "./place";

export const RUNS_PAGE = 200; // runs that are asked for at once
export const CHART_POINTS = 500; // as many as a chart can show

export const runsOf = (where: string, order: string) => ({ where, order, limit: RUNS_PAGE, counted: true });
export const chartsOf = (refs: string[], keys: string[] = []) => ({ runs: refs, keys, points: CHART_POINTS });
export const isRun = (id: string): boolean => /^[0-9a-f]{32}$/.test(id);

/** The questions of the screen at a place, each as a path below the API's and its parameters. */
export function first({ path, query }: Place): [string, Record<string, unknown>][] {
  const text = (name: string) => query.get(name) ?? "";
  if (path === "/") return [["/overview", {}]];
  if (path === "/lineage") {
    const ask = asked(query);
    return ask.ref || ask.lens === "overview" ? [["/lineage/scene", wanted(ask)]] : [];
  }
  if (path === "/runs") return [["/runs", runsOf(text("where"), text("order"))]];
  if (path === "/run" && text("id")) return [["/show", { ref: `run:${text("id")}` }], ...(isRun(text("id")) && CURVED.includes(text("tab")) ? ([["/charts", chartsOf([`run:${text("id")}`])]] as [string, Record<string, unknown>][]) : [])];
  return [];
}

/** The sides of a run where its curves are seen. */
export const CURVED = ["", "overview", "charts"];
