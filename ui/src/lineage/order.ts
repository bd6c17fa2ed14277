// The order of what stands in each layer: few crossings, by barycentre sweeps from several beginnings, each polished by swapping
// neighbours. Pure, and without true randomness: the same graph gives the same orders.

export interface Ordered {
  before: number[]; // neighbours one layer to the left
  behind: number[]; // and to the right
  order: number;
}

const EFFORT = 1_200_000; // steps that the search may take: some 50 ms
const MOST_BEGINNINGS = 24;
const PATIENCE = 4; // sweeps without a better order

/** The layers with few crossings; `order` of each vertex is its place in its layer. */
export function ordered(vertices: readonly Ordered[], layers: readonly number[][]): number[][] {
  const size = vertices.reduce((sum, vertex) => sum + 2 + vertex.behind.length * 2, 0);
  const chance = dice(vertices.length);
  let left = EFFORT;
  let best = Number.POSITIVE_INFINITY;
  let kept = layers.map((layer) => [...layer]);
  for (let n = 0; n < MOST_BEGINNINGS && best > 0 && (n === 0 || left > 0); n += 1) {
    const found = begun(vertices, layers, n, chance);
    let lowest = Number.POSITIVE_INFINITY;
    for (let sweep = 0, idle = 0; idle < PATIENCE && lowest > 0 && (sweep < 4 || left > 0); sweep += 1, idle += 1) {
      if (sweep > 0) swept(vertices, found, sweep % 2 === 1);
      left -= size * 6 + polished(vertices, found, left / 8);
      const now = crossings(vertices, found);
      if (now < lowest) [lowest, idle] = [now, 0];
      if (now < best) [best, kept] = [now, found.map((layer) => [...layer])];
    }
  }
  for (const layer of kept) numbered(vertices, layer);
  return kept;
}

/** A beginning: as a walk from the sources meets them, as one from the sinks does, and by chance. */
function begun(vertices: readonly Ordered[], layers: readonly number[][], n: number, chance: () => number): number[][] {
  const shuffled = n < 2 ? layers : layers.map((layer) => [...layer].map((v) => [chance(), v] as const).sort((a, b) => a[0] - b[0]).map(([, v]) => v));
  const found = walked(vertices, n === 1 ? [...shuffled].reverse() : shuffled, layers);
  for (const layer of found) numbered(vertices, layer);
  return found;
}

function walked(vertices: readonly Ordered[], starts: readonly (readonly number[])[], layers: readonly number[][]): number[][] {
  const home = new Map<number, number>();
  layers.forEach((layer, n) => layer.forEach((v) => home.set(v, n)));
  const met = new Set<number>();
  const found: number[][] = layers.map(() => []);
  for (const start of starts.flat()) {
    const stack = [start];
    while (stack.length) {
      const v = stack.pop() as number;
      if (met.has(v)) continue;
      met.add(v);
      found[home.get(v) as number]?.push(v);
      const { before, behind } = vertices[v] as Ordered;
      for (let i = behind.length - 1; i >= 0; i -= 1) stack.push(behind[i] as number);
      for (let i = before.length - 1; i >= 0; i -= 1) stack.push(before[i] as number);
    }
  }
  return found;
}

/** One sweep: each layer by the mean place of its neighbours in the layer before it. */
function swept(vertices: readonly Ordered[], layers: number[][], forward: boolean): void {
  for (let i = 1; i < layers.length; i += 1) {
    const layer = layers[forward ? i : layers.length - 1 - i] as number[];
    const value = new Map<number, number>();
    for (const n of layer) {
      const vertex = vertices[n] as Ordered;
      const beside = forward ? vertex.before : vertex.behind;
      value.set(n, beside.length ? beside.reduce((sum, other) => sum + (vertices[other] as Ordered).order, 0) / beside.length : vertex.order);
    }
    layer.sort((a, b) => (value.get(a) as number) - (value.get(b) as number) || (vertices[a] as Ordered).order - (vertices[b] as Ordered).order);
    numbered(vertices, layer);
  }
}

/** Swaps neighbours while that saves crossings; the steps it took. */
function polished(vertices: readonly Ordered[], layers: number[][], most: number): number {
  let steps = 0;
  const between = (a: number[], b: number[]) => {
    let count = 0;
    for (const p of a) for (const q of b) count += Math.sign((vertices[p] as Ordered).order - (vertices[q] as Ordered).order);
    steps += a.length * b.length;
    return count;
  };
  for (let better = true; better && steps < most; ) {
    better = false;
    for (const layer of layers)
      for (let i = 0; i + 1 < layer.length; i += 1) {
        const [p, q] = [layer[i] as number, layer[i + 1] as number];
        const [a, b] = [vertices[p] as Ordered, vertices[q] as Ordered];
        steps += 1;
        if (between(a.before, b.before) + between(a.behind, b.behind) <= 0) continue;
        better = true;
        [layer[i], layer[i + 1]] = [q, p];
        [a.order, b.order] = [i + 1, i];
      }
  }
  return steps;
}

/** Crossings between neighbouring layers, counted with a tree of sums: O(E log V). */
export function crossings(vertices: readonly Ordered[], layers: readonly number[][]): number {
  let count = 0;
  for (let n = 0; n + 1 < layers.length; n += 1) {
    const size = (layers[n + 1] as number[]).length;
    const tree = new Float64Array(size + 1);
    let seen = 0;
    for (const p of layers[n] as number[]) {
      const ends = (vertices[p] as Ordered).behind.map((q) => (vertices[q] as Ordered).order);
      for (const end of ends) {
        let below = 0;
        for (let i = end + 1; i > 0; i -= i & -i) below += tree[i] as number;
        count += seen - below;
      }
      for (const end of ends) {
        for (let i = end + 1; i <= size; i += i & -i) tree[i] = (tree[i] as number) + 1;
        seen += 1;
      }
    }
  }
  return count;
}

function numbered(vertices: readonly Ordered[], layer: readonly number[]): void {
  layer.forEach((n, place) => {
    (vertices[n] as Ordered).order = place;
  });
}

/** Numbers from 0 to 1 that only look like chance. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
