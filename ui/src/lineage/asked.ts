// Everything that decides what is seen is in the address.
import type { Viewport } from "@xyflow/react";
import type { By } from "./reshape";
import type { Lens } from "./scene";

export const BUDGETS = [60, 150, 500, 2000];
export const HOPS = [1, 2, 3, 5];
export const NONE = "-"; // nothing is chosen, not even what the graph is about

const list = (text: string | null): string[] => {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter((one): one is string => typeof one === "string").slice(0, 50) : [];
  } catch {
    return [];
  }
};
export const written = (all: string[]): string => (all.length ? JSON.stringify(all) : "");
export const toggled = (all: string[], one: string): string => written(all.includes(one) ? all.filter((other) => other !== one) : [...all, one]);

/** Where the neighbours of a card on one side are opened: as it is written in the address, with the hops behind it if more than one. */
export const openOf = (all: readonly string[], side: "up" | "down", id: string): string | undefined => all.find((one) => one === `${side}:${id}` || one.startsWith(`${side}:${id}:`));

export type Asked = ReturnType<typeof asked>;

export function asked(query: URLSearchParams) {
  const dir = query.get("dir") ?? "";
  const lens = query.get("lens") ?? "";
  const by = query.get("by") ?? "";
  const view = (query.get("v") ?? "").split(",").map(Number);
  const moment = (name: string) => { const at = Number(query.get(name) ?? ""); return at > 0 && Number.isSafeInteger(at) ? at : undefined; };
  const budget = Number(query.get("budget") ?? "");
  const depth = Number(query.get("depth") ?? "");
  return {
    ref: query.get("ref") ?? "",
    compare: query.get("compare") ?? "",
    to: query.get("to") ?? "",
    dir: dir === "up" || dir === "down" ? dir : "both",
    lens: (lens === "logical" || lens === "overview" ? lens : "versions") as Lens,
    by: (by === "kind" || by === "namespace" ? by : "") as By,
    budget: Number.isInteger(budget) && budget >= 1 && budget <= (BUDGETS.at(-1) ?? 0) ? budget : 60,
    depth: HOPS.includes(depth) ? depth : undefined,
    fold: query.get("fold") !== "0",
    governing: query.get("gov") === "1",
    asOf: moment("as_of"),
    validAt: moment("valid_at"),
    clock: query.get("clock") === "valid" || query.has("valid_at") ? ("valid" as const) : ("recorded" as const),
    expand: list(query.get("expand")),
    open: list(query.get("open")).filter((one) => /^(up|down):\d{1,18}(:\d{1,2})?$/.test(one)),
    hide: list(query.get("hide")).sort(),
    columns: list(query.get("columns")),
    column: query.get("column") ?? undefined,
    sel: query.get("sel") ?? undefined,
    edge: query.get("edge") ?? undefined,
    pin: query.get("pin") ?? undefined,
    table: query.get("table") === "1",
    only: query.get("only") === "1",
    light: (["essential", "serves"] as const).find((trait) => query.get("light") === trait),
    view: view.length === 3 && view.every(Number.isFinite) ? ({ x: view[0], y: view[1], zoom: view[2] } as Viewport) : undefined,
  };
}

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
    ...(asked.validAt === undefined ? {} : { valid_at: asked.validAt }),
    budget: asked.budget, fold: asked.fold, expand: asked.expand, open: asked.open, hide: asked.hide,
  };
}
