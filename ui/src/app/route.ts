// Where we are, for what is drawn.
import { useMemo, useSyncExternalStore } from "react";
import { parse, type Place } from "./place";

export * from "./place";

function subscribe(tell: () => void): () => void {
  window.addEventListener("hashchange", tell);
  return () => window.removeEventListener("hashchange", tell);
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => parse(hash), [hash]);
}
