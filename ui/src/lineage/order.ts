// The order of what stands in each layer: few crossings, by barycentre sweeps from several beginnings, each polished by swapping
// neighbours. Pure, and without true randomness: the same graph gives the same orders.

export interface Ordered {
  before: number[]; // neighbours one layer to the left
  behind: number[]; // and to the right
  order: number;
}

const EFFORT = 400_000; // steps that the search may take: some 50 ms
const MOST_BEGINNINGS = 24;
const PATIENCE = 4; // sweeps without a better order

/** The graph in flat arrays: the search goes over it thousands of times. Neighbours of v: near[at[v]] to near[at[v + 1]]. */
export interface Net {
  beforeAt: Int32Array;
  before: Int32Array;
  behindAt: Int32Array;
  behind: Int32Array;
  home: Int32Array; // the layer of each vertex
  order: Int32Array; // and its place there
  tree: Int32Array;
}

export function flat(vertices: readonly Ordered[], layers: readonly (readonly number[])[]): Net {
  const side = (of: (vertex: Ordered) => readonly number[]) => {
    const at = new Int32Array(vertices.length + 1);
    vertices.forEach((vertex, v) => { at[v + 1] = (at[v] as number) + of(vertex).length; });
    const near = new Int32Array(at[vertices.length] as number);
    vertices.forEach((vertex, v) => near.set(of(vertex), at[v]));
    return [at, near] as const;
  };
  const [beforeAt, before] = side((vertex) => vertex.before);
  const [behindAt, behind] = side((vertex) => vertex.behind);
  const home = new Int32Array(vertices.length);
  layers.forEach((layer, n) => { for (const v of layer) home[v] = n; });
  const order = Int32Array.from(vertices, (vertex) => vertex.order);
  return { beforeAt, before, behindAt, behind, home, order, tree: new Int32Array(2 + Math.max(0, ...layers.map((layer) => layer.length))) };
}

/** The layers with few crossings; `order` of each vertex is its place in its layer. */
export function ordered(vertices: readonly Ordered[], layers: readonly number[][]): number[][] {
  const net = flat(vertices, layers);
  const size = vertices.length * 2 + net.behind.length * 2;
  const chance = dice(vertices.length);
  let left = EFFORT;
  let best = Number.POSITIVE_INFINITY;
  let kept = layers.map((layer) => [...layer]);
  for (let n = 0; n < MOST_BEGINNINGS && best > 0 && (n === 0 || left > 0); n += 1) {
    const found = begun(net, layers, n, chance);
    let lowest = Number.POSITIVE_INFINITY;
    for (let sweep = 0, idle = 0; idle < PATIENCE && lowest > 0 && (sweep < 4 || left > 0); sweep += 1, idle += 1) {
      if (sweep > 0) swept(net, found, sweep % 2 === 1);
      left -= size * 6 + polished(net, found, left / 8);
      const now = crossed(net, found);
      if (now < lowest) [lowest, idle] = [now, 0];
      if (now < best) [best, kept] = [now, found.map((layer) => [...layer])];
    }
  }
  for (const layer of kept) layer.forEach((v, place) => { (vertices[v] as Ordered).order = place; });
  return kept;
}

/** A beginning: as a walk from the sources meets them, as one from the sinks does, and by chance. */
function begun(net: Net, layers: readonly number[][], n: number, chance: () => number): number[][] {
  const shuffled = n < 2 ? layers : layers.map((layer) => [...layer].map((v) => [chance(), v] as const).sort((a, b) => a[0] - b[0]).map(([, v]) => v));
  const found = walked(net, n === 1 ? [...shuffled].reverse() : shuffled, layers.length);
  for (const layer of found) numbered(net, layer);
  return found;
}

function walked({ beforeAt, before, behindAt, behind, home }: Net, starts: readonly (readonly number[])[], depth: number): number[][] {
  const met = new Uint8Array(home.length);
  const found: number[][] = Array.from({ length: depth }, () => []);
  for (const layer of starts)
    for (const start of layer) {
      const stack = [start];
      while (stack.length) {
        const v = stack.pop() as number;
        if (met[v]) continue;
        met[v] = 1;
        found[home[v] as number]?.push(v);
        for (let i = (behindAt[v + 1] as number) - 1; i >= (behindAt[v] as number); i -= 1) stack.push(behind[i] as number);
        for (let i = (beforeAt[v + 1] as number) - 1; i >= (beforeAt[v] as number); i -= 1) stack.push(before[i] as number);
      }
    }
  return found;
}

/** One sweep: each layer by the mean place of its neighbours in the layer before it. */
function swept(net: Net, layers: number[][], forward: boolean): void {
  const { order } = net;
  const [at, near] = forward ? [net.beforeAt, net.before] : [net.behindAt, net.behind];
  const mean = new Float64Array(order.length);
  for (let i = 1; i < layers.length; i += 1) {
    const layer = layers[forward ? i : layers.length - 1 - i] as number[];
    for (const v of layer) {
      const [from, to] = [at[v] as number, at[v + 1] as number];
      let sum = 0;
      for (let k = from; k < to; k += 1) sum += order[near[k] as number] as number;
      mean[v] = to > from ? sum / (to - from) : (order[v] as number);
    }
    layer.sort((a, b) => (mean[a] as number) - (mean[b] as number) || (order[a] as number) - (order[b] as number));
    numbered(net, layer);
  }
}

/** Swaps neighbours while that saves crossings; the steps it took. A layer is looked at again only where something moved beside it. */
function polished({ order, beforeAt, before, behindAt, behind }: Net, layers: number[][], most: number): number {
  let steps = 0;
  const between = (at: Int32Array, near: Int32Array, a: number, b: number) => {
    const [a0, a1, b0, b1] = [at[a] as number, at[a + 1] as number, at[b] as number, at[b + 1] as number];
    let count = 0;
    for (let i = a0; i < a1; i += 1) {
      const here = order[near[i] as number] as number;
      for (let k = b0; k < b1; k += 1) {
        const there = order[near[k] as number] as number;
        if (here > there) count += 1;
        else if (here < there) count -= 1;
      }
    }
    steps += (a1 - a0) * (b1 - b0);
    return count;
  };
  const stirred = new Uint8Array(layers.length + 2).fill(1);
  for (let better = true; better && steps < most; ) {
    better = false;
    for (let n = 0; n < layers.length; n += 1) {
      if (!stirred[n + 1]) continue;
      stirred[n + 1] = 0;
      const layer = layers[n] as number[];
      for (let i = 0; i + 1 < layer.length; i += 1) {
        const [p, q] = [layer[i] as number, layer[i + 1] as number];
        steps += 1;
        if (between(beforeAt, before, p, q) + between(behindAt, behind, p, q) <= 0) continue;
        better = true;
        stirred[n] = stirred[n + 1] = stirred[n + 2] = 1;
        layer[i] = q;
        layer[i + 1] = p;
        order[p] = i + 1;
        order[q] = i;
      }
    }
  }
  return steps;
}

/** Crossings between neighbouring layers, counted with a tree of sums: O(E log V). */
function crossed({ order, behindAt, behind, tree }: Net, layers: readonly (readonly number[])[]): number {
  let count = 0;
  for (let n = 0; n + 1 < layers.length; n += 1) {
    const size = (layers[n + 1] as number[]).length;
    tree.fill(0, 0, size + 1);
    let seen = 0;
    for (const v of layers[n] as number[]) {
      const [from, to] = [behindAt[v] as number, behindAt[v + 1] as number];
      for (let k = from; k < to; k += 1) {
        let below = 0;
        for (let i = (order[behind[k] as number] as number) + 1; i > 0; i -= i & -i) below += tree[i] as number;
        count += seen - below;
      }
      for (let k = from; k < to; k += 1) for (let i = (order[behind[k] as number] as number) + 1; i <= size; i += i & -i) tree[i] = (tree[i] as number) + 1;
      seen += to - from;
    }
  }
  return count;
}

/** How many edges between neighbouring layers cross. */
export const crossings = (vertices: readonly Ordered[], layers: readonly number[][]): number => crossed(flat(vertices, layers), layers);

function numbered({ order }: Net, layer: readonly number[]): void {
  for (let place = 0; place < layer.length; place += 1) order[layer[place] as number] = place;
}

/** Numbers from 0 to 1 that only look like chance. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
