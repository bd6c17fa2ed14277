import type { Schemas } from "../api/client";

export interface Line {
  key: string;
  a?: unknown;
  b?: unknown;
}

/** Every change of a comparison in one list, what was decided first: parameters, data, packages, code. Metrics are results, not causes. */
export function allChanges(change: Schemas["RunChange"]): Line[] {
  const inputs = change.inputs.flatMap((input): Line[] => [
    { key: input.name, a: versionOf(input.a), b: versionOf(input.b) },
    ...input.columns.map((column) => ({ key: `${input.name} · ${column.key}`, a: column.a ?? null, b: column.a === column.b ? "other values" : (column.b ?? null) })),
  ]);
  const environment = change.environment.map((one) => ({ ...one, key: one.key.replace(/^package /, "") }));
  return [...change.params, ...inputs, ...environment, ...change.code];
}

const versionOf = (ref: string | null): string | null => (ref === null ? null : `v${ref.split("@").at(-1)}`);
