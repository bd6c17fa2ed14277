// What is asked of the server for the address, and what is made of its answers before it is drawn.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { pace } from "../app/live";
import { question } from "./ask";
import { type Asked, wanted } from "./asked";
import { beside, grouped, winners } from "./reshape";
import { changes, innerKind, type Scene, sceneOf } from "./scene";
import { useColumns } from "./usecolumns";

const SPAN_BUDGET = 500; // cards from whose times the bar of time is made

export function useScene(asked: Asked) {
  const base = wanted(asked);
  const main = useQuery({ ...question(base), placeholderData: keepPreviousData, refetchInterval: asked.asOf === undefined ? () => pace(10_000) : false });
  const answered = useMemo(() => (main.data ? sceneOf(main.data) : undefined), [main.data]);
  const reshaped = useMemo(() => {
    if (!answered) return undefined;
    return beside(winners(grouped(answered, asked.by, asked.expand)));
  }, [answered, asked]);
  const { scene, lines } = useColumns(reshaped, asked.columns, asked.asOf);
  const kinds = useMemo(() => [...new Set([...(answered?.nodes.map(innerKind) ?? []), ...asked.hide])].sort(), [answered, asked.hide]);

  const calm = useLater(main.data !== undefined);
  const all = { ...base, as_of: undefined, valid_at: undefined, budget: SPAN_BUDGET, fold: false, expand: [], open: [] };
  const span = useQuery({ ...question(all), enabled: calm, staleTime: 60_000, placeholderData: keepPreviousData });
  const spanned = useMemo(() => (span.data ? sceneOf(span.data) : undefined), [span.data]);
  const news = useNews(JSON.stringify(base), main.isPlaceholderData ? undefined : answered);
  return { main, scene, lines, kinds, spanned, news };
}

export interface News {
  ids: Set<string>;
  lines: number;
  seen: () => void;
}

/** What came into the picture while it was looked at: the same question, and an answer with more in it. */
function useNews(name: string, answered: Scene | undefined): News {
  const before = useRef<{ name: string; scene: Scene }>(undefined);
  const [news, setNews] = useState<{ name: string; ids: Set<string>; lines: number }>({ name: "", ids: new Set(), lines: 0 });
  useEffect(() => {
    if (!answered) return;
    const old = before.current;
    before.current = { name, scene: answered };
    if (old?.name !== name || old.scene === answered) return;
    const { added, gone, lines } = changes(old.scene, answered);
    if (added.length || lines) setNews((all) => ({ name, ids: new Set([...(all.name === name ? all.ids : []), ...added].filter((id) => !gone.includes(id))), lines: (all.name === name ? all.lines : 0) + lines }));
  }, [name, answered]);
  const seen = useCallback(() => setNews({ name: "", ids: new Set(), lines: 0 }), []);
  return useMemo(() => (news.name === name ? { ids: news.ids, lines: news.lines, seen } : { ids: new Set<string>(), lines: 0, seen }), [news, name, seen]);
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
