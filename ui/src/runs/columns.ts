// Columns of the runs table, named as in the query language.
import type { RunSummary } from "../api/client";
import { at, figure, plain } from "../kit/format";
import { varied } from "../kit/series";
import { field } from "./filter";

export interface Column {
  id: string; // also what the server sorts by
  scope: "run" | "metrics" | "params" | "tags";
  key: string;
  width: number;
  numeric: boolean;
}

const own = (id: string, width: number): Column => ({ id, scope: "run", key: id, width, numeric: false });
export const OWN: Column[] = [own("name", 230), own("state", 110), own("started_at", 160), own("duration", 100), own("actor", 130)];

export const column = (scope: "metrics" | "params" | "tags", key: string): Column => ({
  id: field(scope, key),
  scope,
  key,
  width: Math.min(220, Math.max(104, 44 + key.length * 7.4)),
  numeric: scope === "metrics",
});

/** The columns to show before anybody chose: the keys of these runs that most of them have and that vary. */
export function usual(runs: readonly RunSummary[], metrics = 6, params = 8): Column[] {
  const some = runs.slice(0, 200);
  return [
    ...varied(some.map((run) => run.metrics)).slice(0, metrics).map((key) => column("metrics", key)),
    ...varied(some.map((run) => run.params)).slice(0, params).map((key) => column("params", key)),
  ];
}

export function parseColumns(text: string): Column[] | undefined {
  if (!text) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    if (!Array.isArray(found)) return undefined;
    return found.flatMap((item: unknown) => {
      if (typeof item !== "string") return [];
      const [letter, key] = [item[0], item.slice(2)];
      const scope = letter === "m" ? "metrics" : letter === "p" ? "params" : letter === "t" ? "tags" : undefined;
      return scope && key ? [column(scope, key)] : [];
    });
  } catch {
    return undefined;
  }
}

export const writeColumns = (columns: readonly Column[]): string => JSON.stringify(columns.filter((one) => one.scope !== "run").map((one) => `${one.scope[0]}:${one.key}`));

export function value(run: RunSummary, one: Column): string {
  if (one.scope === "metrics") return figure(at(run.metrics, one.key));
  if (one.scope === "params") return plain(at(run.params, one.key) ?? "");
  if (one.scope === "tags") return plain(at(run.tags, one.key) ?? "");
  return "";
}

/** The columns in which these runs are not all alike; a run's own columns stay. */
export function differing(columns: readonly Column[], runs: readonly RunSummary[]): Column[] {
  return columns.filter((one) => {
    if (one.scope === "run" || runs.length < 2) return true;
    const scope = one.scope;
    const first = String(at<unknown>(runs[0]?.[scope], one.key));
    return runs.some((run) => String(at<unknown>(run[scope], one.key)) !== first);
  });
}
