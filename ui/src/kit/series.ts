// Curves as numbers: alignment, smoothing. No drawing here.
export interface Curve {
  label: string;
  x: number[];
  y: number[]; // NaN where there is no value
}

/** Exponential moving average with bias correction; `amount` 0 (as it is) to 0.99. A gap stays a gap. */
export function smooth(values: readonly number[], amount: number): number[] {
  if (amount <= 0) return [...values];
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    sum = sum * amount + value * (1 - amount);
    weight = weight * amount + (1 - amount);
    return sum / weight;
  });
}

/** All curves over one sorted list of x; undefined where a curve has no point, null where its point is no number. */
export function align(curves: readonly Curve[]): { x: number[]; ys: (number | null | undefined)[][] } {
  const [only] = curves;
  if (only && curves.length === 1 && only.x.every((at, n) => n === 0 || at > (only.x[n - 1] as number))) return { x: [...only.x], ys: [only.x.map((_, n) => { const y = only.y[n]; return y !== undefined && Number.isFinite(y) ? y : null; })] };
  const x = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const place = new Map(x.map((value, n) => [value, n]));
  const ys = curves.map((curve) => {
    const row: (number | null | undefined)[] = new Array(x.length).fill(undefined);
    curve.x.forEach((at, n) => {
      const y = curve.y[n];
      row[place.get(at) as number] = y !== undefined && Number.isFinite(y) ? y : null;
    });
    return row;
  });
  return { x, ys };
}

/** How many different values each key has among rows, the most varied first; ties by name. */
export function varied(rows: readonly Record<string, unknown>[]): string[] {
  const seen = new Map<string, { values: Set<string>; rows: number }>();
  for (const row of rows)
    for (const [key, value] of Object.entries(row)) {
      const found = seen.get(key) ?? { values: new Set<string>(), rows: 0 };
      found.rows += 1;
      if (found.values.size < 64) found.values.add(String(value));
      seen.set(key, found);
    }
  const score = (key: string) => {
    const found = seen.get(key);
    return found ? (found.values.size > 1 || found.rows < rows.length ? 1 : 0) * 1e6 + found.rows : 0;
  };
  return [...seen.keys()].sort((a, b) => score(b) - score(a) || a.localeCompare(b));
}

/** A curve over another one of the same run: at each of its steps, what the other was there or last before. Sorted by that. */
export function over(curve: Curve, axis: Curve): Curve {
  const points: [number, number][] = [];
  let at = -1;
  curve.x.forEach((step, n) => {
    while (at + 1 < axis.x.length && (axis.x[at + 1] as number) <= step) at += 1;
    const x = axis.y[at];
    if (x !== undefined && Number.isFinite(x)) points.push([x, curve.y[n] as number]);
  });
  points.sort((a, b) => a[0] - b[0]);
  return { label: curve.label, x: points.map((point) => point[0]), y: points.map((point) => point[1]) };
}
