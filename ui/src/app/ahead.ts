// The first screen and the first answer that it needs are asked for side by side, not one after the other.
import type { QueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import { question, wanted } from "../lineage/ask";
import { asked } from "../lineage/asked";
import { LIVE } from "./live";

export const RUNS_PAGE = 200; // runs that are asked for at once

/** The first runs under a filter, in an order. */
export const firstRuns = (where: string, order: string) => ({ queryKey: ["runs", where, order, 0], queryFn: ({ signal }: { signal: AbortSignal }) => api.runs({ where, order, limit: RUNS_PAGE, counted: true }, signal), meta: LIVE });

/** The curves of some runs, as many points as a chart can show. */
export const curvesOf = (refs: string[]) => ({ queryKey: ["charts", refs.join()], queryFn: ({ signal }: { signal: AbortSignal }) => api.charts({ runs: refs, keys: [], points: 500 }, signal) });

/** The curves of a run and the part of the page that draws them, where they are seen first. */
export function curvesAhead(queries: QueryClient, id: string, tab: string): void {
  if (!/^[0-9a-f]{32}$/.test(id) || !["", "overview", "charts"].includes(tab)) return;
  void import("../runs/charts");
  void queries.prefetchQuery({ ...curvesOf([`run:${id}`]), retry: false });
}

/** Asks for what the screen at a place will ask for. */
export function ahead(queries: QueryClient, { path, query }: { path: string; query: URLSearchParams }): void {
  const text = (name: string) => query.get(name) ?? "";
  if (path === "/lineage") {
    const ask = asked(query);
    void import("../lineage/explorer");
    if (ask.ref || ask.lens === "overview") void queries.prefetchQuery(question(wanted(ask)));
  } else if (path === "/runs") {
    void import("../runs/runs");
    void queries.prefetchQuery(firstRuns(text("where"), text("order")));
  } else if (path === "/run" && text("id")) {
    void import("../runs/run");
    const ref = `run:${text("id")}`;
    void queries.prefetchQuery({ queryKey: ["show", ref], queryFn: ({ signal }) => api.show(ref, signal) });
    curvesAhead(queries, text("id"), text("tab"));
  }
}
