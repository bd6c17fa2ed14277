// What became of the columns between two versions.
export interface Col {
  name: string;
  type: string;
  digest?: string | null;
}

export type Fate = "new" | "gone" | "type" | "values" | "same" | "unknown";

/** Every column of both, in the order of the newer one, the gone ones last. Without an older version nothing is said. */
export function fates(now: readonly Col[], before: readonly Col[] | undefined): { column: Col; fate: Fate | undefined }[] {
  const old = new Map((before ?? []).map((column) => [column.name, column]));
  const kept = now.map((column) => {
    const was = old.get(column.name);
    old.delete(column.name);
    if (!before) return { column, fate: undefined };
    if (!was) return { column, fate: "new" as Fate };
    if (was.type !== column.type) return { column, fate: "type" as Fate };
    if (!was.digest || !column.digest) return { column, fate: "unknown" as Fate };
    return { column, fate: (was.digest === column.digest ? "same" : "values") as Fate };
  });
  return [...kept, ...[...old.values()].map((column) => ({ column, fate: "gone" as Fate }))];
}
