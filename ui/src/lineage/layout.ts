// A layered layout from left to right, in time about linear in cards and edges. Pure: the same graph gives the same picture.
//
// Layers are given. Long edges get a waypoint in each layer that they cross; orders come from barycentre sweeps that keep the
// best (fewest crossings), positions from the mean of the neighbours, made free of overlaps by isotonic regression, which is
// the nearest order-preserving answer (pool adjacent violators).

export interface Box {
  id: string;
  w: number;
  h: number;
  anchor: number; // where edges meet it, from its top
  inset: number; // and from its sides
  layer: number;
}

export interface Placed {
  x: number;
  y: number;
}

export interface Layout {
  at: Record<string, Placed>;
  routes: Record<string, [number, number][]>; // by "src\ndst", from end to end
  width: number;
  height: number;
}

const GAP_X = 40;
const GAP_Y = 22;
const MOST_WAYPOINTS = 30_000;

interface Vertex {
  box?: Box;
  layer: number;
  h: number;
  anchor: number;
  before: number[];
  behind: number[];
  order: number;
  y: number; // of the anchor
}

export const key = (src: string, dst: string): string => `${src}\n${dst}`;

export function layered(boxes: readonly Box[], edges: readonly (readonly [string, string])[]): Layout {
  const vertices: Vertex[] = boxes.map((box) => ({ box, layer: box.layer, h: box.h, anchor: box.anchor, before: [], behind: [], order: 0, y: 0 }));
  const number = new Map(boxes.map((box, n) => [box.id, n]));
  const chains = waypoints(vertices, number, edges);
  const layers = intoLayers(vertices);
  order(vertices, layers);
  place(vertices, layers);
  return drawn(vertices, layers, chains, number);
}

/** Adds a vertex per layer that an edge crosses; for each edge, the vertices it runs through. */
function waypoints(vertices: Vertex[], number: Map<string, number>, edges: readonly (readonly [string, string])[]): [string, number[]][] {
  const chains: [string, number[]][] = [];
  for (const [src, dst] of edges) {
    const [a, b] = [number.get(src), number.get(dst)];
    if (a === undefined || b === undefined || a === b) continue;
    const [from, to] = [vertices[a] as Vertex, vertices[b] as Vertex];
    const chain = [a];
    if (to.layer > from.layer && vertices.length < MOST_WAYPOINTS) {
      for (let layer = from.layer + 1; layer < to.layer; layer += 1) {
        chain.push(vertices.length);
        vertices.push({ layer, h: 8, anchor: 4, before: [], behind: [], order: 0, y: 0 });
      }
    }
    chain.push(b);
    if (to.layer > from.layer)
      for (let n = 0; n + 1 < chain.length; n += 1) {
        const [p, q] = [chain[n] as number, chain[n + 1] as number];
        if ((vertices[q] as Vertex).layer - (vertices[p] as Vertex).layer !== 1) continue;
        vertices[p]?.behind.push(q);
        vertices[q]?.before.push(p);
      }
    chains.push([key(src, dst), chain]);
  }
  return chains;
}

function intoLayers(vertices: Vertex[]): number[][] {
  const layers: number[][] = [];
  vertices.forEach((vertex, n) => {
    while (layers.length <= vertex.layer) layers.push([]);
    layers[vertex.layer]?.push(n);
  });
  // First order: as a walk from the sources meets them, so that what belongs together begins together.
  const met = new Set<number>();
  const found: number[][] = layers.map(() => []);
  for (const layer of layers)
    for (const start of layer) {
      const stack = [start];
      while (stack.length) {
        const n = stack.pop() as number;
        if (met.has(n)) continue;
        met.add(n);
        const vertex = vertices[n] as Vertex;
        found[vertex.layer]?.push(n);
        for (let i = vertex.behind.length - 1; i >= 0; i -= 1) stack.push(vertex.behind[i] as number);
        for (let i = vertex.before.length - 1; i >= 0; i -= 1) stack.push(vertex.before[i] as number);
      }
    }
  return found;
}

function number(vertices: Vertex[], layer: number[]): void {
  layer.forEach((n, place) => {
    (vertices[n] as Vertex).order = place;
  });
}

function order(vertices: Vertex[], layers: number[][]): void {
  for (const layer of layers) number(vertices, layer);
  const sweeps = vertices.length > 8000 ? 4 : vertices.length > 1500 ? 8 : 20;
  let best = crossings(vertices, layers);
  let kept = layers.map((layer) => [...layer]);
  for (let sweep = 0; sweep < sweeps && best > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    for (let i = 1; i < layers.length; i += 1) {
      const layer = layers[down ? i : layers.length - 1 - i] as number[];
      const value = new Map<number, number>();
      for (const n of layer) {
        const vertex = vertices[n] as Vertex;
        const beside = down ? vertex.before : vertex.behind;
        value.set(n, beside.length ? beside.reduce((sum, other) => sum + (vertices[other] as Vertex).order, 0) / beside.length : vertex.order);
      }
      layer.sort((a, b) => (value.get(a) as number) - (value.get(b) as number) || (vertices[a] as Vertex).order - (vertices[b] as Vertex).order);
      number(vertices, layer);
    }
    if (vertices.length < 600) transpose(vertices, layers);
    const now = crossings(vertices, layers);
    if (now < best) {
      best = now;
      kept = layers.map((layer) => [...layer]);
    }
  }
  kept.forEach((layer, n) => {
    layers[n] = layer;
    number(vertices, layer);
  });
}

/** Swaps neighbours while that saves crossings. */
function transpose(vertices: Vertex[], layers: number[][]): void {
  const between = (a: number[], b: number[]) => {
    let count = 0;
    for (const p of a) for (const q of b) if ((vertices[p] as Vertex).order > (vertices[q] as Vertex).order) count += 1;
    return count;
  };
  for (const layer of layers)
    for (let i = 0; i + 1 < layer.length; i += 1) {
      const [p, q] = [layer[i] as number, layer[i + 1] as number];
      const [a, b] = [vertices[p] as Vertex, vertices[q] as Vertex];
      const now = between(a.before, b.before) + between(a.behind, b.behind);
      const swapped = between(b.before, a.before) + between(b.behind, a.behind);
      if (swapped < now) {
        layer[i] = q;
        layer[i + 1] = p;
        a.order = i + 1;
        b.order = i;
      }
    }
}

/** Crossings between neighbouring layers, counted with a tree of sums: O(E log V). */
export function crossings(vertices: readonly Vertex[], layers: readonly number[][]): number {
  let count = 0;
  for (let n = 0; n + 1 < layers.length; n += 1) {
    const right = layers[n + 1] as number[];
    const tree = new Float64Array(right.length + 1);
    let seen = 0;
    for (const p of layers[n] as number[]) {
      const ends = (vertices[p] as Vertex).behind.map((q) => (vertices[q] as Vertex).order);
      for (const end of ends) {
        let below = 0;
        for (let i = end + 1; i > 0; i -= i & -i) below += tree[i] as number;
        count += seen - below;
      }
      for (const end of ends) {
        for (let i = end + 1; i <= right.length; i += i & -i) tree[i] = (tree[i] as number) + 1;
        seen += 1;
      }
    }
  }
  return count;
}

function place(vertices: Vertex[], layers: number[][]): void {
  const tallest = Math.max(1, ...layers.map((layer) => layer.reduce((sum, n) => sum + (vertices[n] as Vertex).h + GAP_Y, 0)));
  for (const layer of layers) {
    let y = (tallest - layer.reduce((sum, n) => sum + (vertices[n] as Vertex).h + GAP_Y, 0)) / 2;
    for (const n of layer) {
      const vertex = vertices[n] as Vertex;
      vertex.y = y + vertex.anchor;
      y += vertex.h + GAP_Y;
    }
  }
  const passes = vertices.length > 8000 ? 6 : 16;
  for (let pass = 0; pass < passes; pass += 1)
    for (let i = 0; i < layers.length; i += 1) {
      const layer = layers[pass % 2 === 0 ? i : layers.length - 1 - i] as number[];
      const last = pass >= passes - 2;
      const wanted = layer.map((n) => {
        const vertex = vertices[n] as Vertex;
        const beside = last ? [...vertex.before, ...vertex.behind] : pass % 2 === 0 ? vertex.before : vertex.behind;
        return beside.length ? beside.reduce((sum, other) => sum + (vertices[other] as Vertex).y, 0) / beside.length : vertex.y;
      });
      apart(vertices, layer, wanted);
    }
}

/** Anchors nearest to what is wanted, in the given order and without overlaps. */
function apart(vertices: Vertex[], layer: number[], wanted: number[]): void {
  const offsets: number[] = [];
  let offset = 0;
  layer.forEach((n, i) => {
    const vertex = vertices[n] as Vertex;
    if (i > 0) {
      const above = vertices[layer[i - 1] as number] as Vertex;
      offset += above.h - above.anchor + (above.box || vertex.box ? GAP_Y : 6) + vertex.anchor;
    }
    offsets.push(offset);
  });
  const blocks: { sum: number; weight: number; count: number }[] = [];
  layer.forEach((n, i) => {
    const weight = (vertices[n] as Vertex).box ? 1 : 2; // long edges are kept straight first
    let block = { sum: ((wanted[i] as number) - (offsets[i] as number)) * weight, weight, count: 1 };
    for (let above = blocks.at(-1); above && above.sum / above.weight > block.sum / block.weight; above = blocks.at(-1)) {
      blocks.pop();
      block = { sum: above.sum + block.sum, weight: above.weight + block.weight, count: above.count + block.count };
    }
    blocks.push(block);
  });
  let i = 0;
  for (const block of blocks)
    for (let k = 0; k < block.count; k += 1, i += 1) (vertices[layer[i] as number] as Vertex).y = block.sum / block.weight + (offsets[i] as number);
}

function drawn(vertices: Vertex[], layers: number[][], chains: [string, number[]][], _: Map<string, number>): Layout {
  const top = Math.min(0, ...vertices.map((vertex) => vertex.y - vertex.anchor));
  const widths = layers.map((layer) => Math.max(0, ...layer.map((n) => (vertices[n] as Vertex).box?.w ?? 0)));
  const left: number[] = [];
  let x = 0;
  for (const width of widths) {
    left.push(x);
    x += width + GAP_X;
  }
  const at: Record<string, Placed> = {};
  let height = 0;
  for (const vertex of vertices) {
    const y = vertex.y - vertex.anchor - top;
    height = Math.max(height, y + vertex.h);
    if (vertex.box) at[vertex.box.id] = { x: (left[vertex.layer] as number) + ((widths[vertex.layer] as number) - vertex.box.w) / 2, y };
  }
  const routes: Record<string, [number, number][]> = {};
  for (const [name, chain] of chains) {
    const points: [number, number][] = [];
    chain.forEach((n, place) => {
      const vertex = vertices[n] as Vertex;
      const y = vertex.y - top;
      if (vertex.box) {
        const spot = at[vertex.box.id] as Placed;
        points.push([spot.x + (place === 0 ? vertex.box.w - vertex.box.inset : vertex.box.inset), y]);
      } else points.push([left[vertex.layer] as number, y], [(left[vertex.layer] as number) + (widths[vertex.layer] as number), y]);
    });
    routes[name] = points;
  }
  return { at, routes, width: Math.max(0, x - GAP_X), height };
}

/** A smooth line through the points, level at each. */
export function path(points: readonly (readonly [number, number])[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let text = `M${round(first[0])},${round(first[1])}`;
  let [px, py] = first;
  for (const [x, y] of rest) {
    const reach = Math.max(18, Math.abs(x - px) / 2);
    text += Math.abs(y - py) < 0.5 && x >= px ? `L${round(x)},${round(y)}` : `C${round(px + reach)},${round(py)} ${round(x - reach)},${round(y)} ${round(x)},${round(y)}`;
    [px, py] = [x, y];
  }
  return text;
}

const round = (value: number): number => Math.round(value * 10) / 10;
