import type { Schemas } from "../api/client";
import { t } from "../text";

export interface Line {
  key: string;
  a?: unknown;
  b?: unknown;
}

/** Every change of a comparison in one list, what was decided first: parameters, data, packages, code. Metrics are results, not causes. */
export function allChanges(change: Schemas["RunChange"]): Line[] {
  const inputs = change.inputs.flatMap((input): Line[] => [
    { key: input.name, a: versionOf(input.a), b: versionOf(input.b) },
    ...input.columns.map((column) => columnLine(column, `${input.name} · ${column.key}`)),
  ]);
  const environment = change.environment.map((one) => ({ ...one, key: one.key.replace(/^package /, "") }));
  return [...change.params, ...inputs, ...environment, ...change.code];
}

/** How a column differs: its types, and in words where the type is the same and only what stands in it differs. */
export function columnLine(column: Schemas["RunChange"]["inputs"][number]["columns"][number], key: string): Line {
  const { a = null, b = null } = column;
  return { key, a, b: a !== null && a === b ? `${String(b)}, ${t.compare.values}` : b };
}

const versionOf = (ref: string | null): string | null => (ref === null ? null : `v${ref.split("@").at(-1)}`);
