// The first screen and the first answer that it needs are asked for side by side, not one after the other.
import type { QueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import { question } from "../lineage/ask";
import { asked, wanted } from "../lineage/asked";
import { chartsOf, CURVED, isRun, runsOf } from "./first";
import { LIVE } from "./live";
import type { Place } from "./place";

/** The first runs under a filter, in an order. */
export const firstRuns = (where: string, order: string) => ({ queryKey: ["runs", where, order, 0], queryFn: ({ signal }: { signal: AbortSignal }) => api.runs(runsOf(where, order), signal), meta: LIVE });

/** The curves of some runs, as many points as a chart can show. keys: metrics, none for all. */
export const curvesOf = (refs: string[], keys: string[] = []) => ({ queryKey: ["charts", refs.join(), ...keys], queryFn: ({ signal }: { signal: AbortSignal }) => api.charts(chartsOf(refs, keys), signal) });

/** The curves of a run, where they are seen first. */
export function curvesAhead(queries: QueryClient, id: string, tab: string): void {
  if (!isRun(id) || !CURVED.includes(tab)) return;
  void queries.prefetchQuery({ ...curvesOf([`run:${id}`]), retry: false });
}

/** Asks for what the screen at a place will ask for. */
export function ahead(queries: QueryClient, { path, query }: Place): void {
  const text = (name: string) => query.get(name) ?? "";
  if (path === "/lineage") {
    const ask = asked(query);
    if (ask.ref || ask.lens === "overview") void queries.prefetchQuery(question(wanted(ask)));
  } else if (path === "/runs") void queries.prefetchQuery(firstRuns(text("where"), text("order")));
  else if (path === "/run" && text("id")) {
    const ref = `run:${text("id")}`;
    void queries.prefetchQuery({ queryKey: ["show", ref], queryFn: ({ signal }) => api.show(ref, signal) });
    curvesAhead(queries, text("id"), text("tab"));
  }
}
