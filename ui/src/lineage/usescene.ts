// What is asked of the server for the address, and what is made of its answers before it is drawn.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { question, wanted } from "./ask";
import type { Asked } from "./asked";
import { beside, grouped, happened, winners } from "./reshape";
import { innerKind, sceneOf } from "./scene";
import { useColumns } from "./usecolumns";

const SPAN_BUDGET = 500; // cards from whose times the bar of time is made

export function useScene(asked: Asked) {
  const base = wanted(asked);
  const main = useQuery({ ...question(base), placeholderData: keepPreviousData, refetchInterval: asked.asOf === undefined ? 10_000 : false });
  const answered = useMemo(() => (main.data ? sceneOf(main.data) : undefined), [main.data]);
  const reshaped = useMemo(() => {
    if (!answered) return undefined;
    const then = asked.validAt === undefined ? answered : happened(answered, asked.validAt);
    return beside(winners(grouped(then, asked.by, asked.expand)));
  }, [answered, asked]);
  const { scene, lines } = useColumns(reshaped, asked.columns, asked.asOf);
  const kinds = useMemo(() => [...new Set([...(answered?.nodes.map(innerKind) ?? []), ...asked.hide])].sort(), [answered, asked.hide]);

  const calm = useLater(main.data !== undefined);
  const all = { ...base, as_of: undefined, budget: SPAN_BUDGET, fold: false, expand: [], open: [] };
  const span = useQuery({ ...question(all), enabled: calm, staleTime: 60_000, placeholderData: keepPreviousData });
  const spanned = useMemo(() => (span.data ? sceneOf(span.data) : undefined), [span.data]);
  return { main, scene, lines, kinds, spanned };
}

/** True a little after something is: what can wait is asked for when the picture stands. */
function useLater(now: boolean): boolean {
  const [later, setLater] = useState(false);
  useEffect(() => {
    if (!now || later) return;
    const timer = window.setTimeout(() => setLater(true), 400);
    return () => window.clearTimeout(timer);
  }, [now, later]);
  return later;
}
