// The question behind a picture, in a file of its own: it is asked while the explorer is still being loaded.
import { queryOptions } from "@tanstack/react-query";
import { api } from "../api/client";
import { LIVE } from "../app/live";
import type { Asked } from "./asked";

/** What the server is asked for. */
export function wanted(asked: Asked) {
  const two = asked.compare !== "" || asked.to !== "";
  const whole = asked.lens === "overview" && !two;
  return {
    ...(whole ? {} : { ref: asked.ref, direction: asked.dir }),
    ...(asked.lens === "versions" ? { governing: asked.governing } : { lens: asked.lens }),
    ...(asked.compare ? { compare: asked.compare } : asked.to ? { to: asked.to } : {}),
    ...(asked.depth && !whole ? { depth: asked.depth } : {}),
    ...(asked.asOf === undefined ? {} : { as_of: asked.asOf }),
    ...(asked.validAt === undefined || asked.lens !== "versions" ? {} : { valid_at: asked.validAt }),
    budget: asked.budget, fold: asked.fold, expand: asked.expand, open: asked.open, hide: asked.hide,
  };
}

export const question = (base: ReturnType<typeof wanted>) => queryOptions({ queryKey: ["scene", base], queryFn: ({ signal }) => api.scene(base, signal), staleTime: 10_000, meta: LIVE });
