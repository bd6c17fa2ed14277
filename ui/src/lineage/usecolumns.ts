import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { api } from "../api/client";
import { type ColumnLine, withColumns } from "./columns";
import type { Scene } from "./scene";

/** The scene with the columns of some cards, and the lines between columns as far as both ends are drawn. */
export function useColumns(scene: Scene | undefined, opened: readonly string[], asOf: number | undefined): { scene?: Scene; lines: ColumnLine[] } {
  const asks = (scene?.nodes ?? []).filter((node) => opened.includes(node.id) && node.ref).flatMap((node) => (["up", "down"] as const).map((direction) => ({ id: node.id, ref: node.ref, direction })));
  const answers = useQueries({
    queries: asks.map(({ ref, direction }) => {
      const wanted = { ref, direction, depth: 1, ...(asOf === undefined ? {} : { as_of: asOf }) };
      return { queryKey: ["columns", wanted], queryFn: ({ signal }: { signal: AbortSignal }) => api.columns(wanted, signal), staleTime: 60_000, retry: false };
    }),
  });
  const stamp = asks.map((ask, n) => `${ask.id} ${ask.direction} ${answers[n]?.status}`).join();
  // biome-ignore lint: `stamp` stands for the answers, whose list is new at every render.
  return useMemo(() => {
    if (!scene) return { lines: [] };
    if (!asks.length) return { scene, lines: [] };
    return withColumns(scene, asks.flatMap((ask, n) => (answers[n]?.isPending ? [] : [{ id: ask.id, reply: answers[n]?.data }])));
  }, [scene, stamp]);
}
