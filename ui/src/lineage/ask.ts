// The question behind a picture, in a file of its own: it is asked while the explorer is still being loaded.
import { queryOptions } from "@tanstack/react-query";
import { useMemo } from "react";
import { api } from "../api/client";
import { LIVE } from "../app/live";
import { usePlace } from "../app/route";
import { type Asked, asked, type wanted } from "./asked";

export const question = (base: ReturnType<typeof wanted>) => queryOptions({ queryKey: ["scene", base], queryFn: ({ signal }) => api.scene(base, signal), staleTime: 10_000, meta: LIVE });

export function useAsked(): Asked {
  const { query } = usePlace();
  return useMemo(() => asked(query), [query]);
}
