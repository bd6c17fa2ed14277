// A layered layout from left to right, in time about linear in cards and edges. Pure: the same graph gives the same picture.
//
// Layers are given. Long edges get a waypoint in each layer that they cross; orders come from `ordered`, positions from the mean
// of the neighbours, made free of overlaps by isotonic regression, which is the nearest order-preserving answer (pool adjacent
// violators).
import { flat, ordered, type Ordered } from "./order";

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

const GAP_X = 36;
const GAP_Y = 22;
const MOST_WAYPOINTS = 30_000;

interface Vertex extends Ordered {
  box?: Box;
  layer: number;
  h: number;
  anchor: number;
  y: number; // of the anchor
}

export const key = (src: string, dst: string): string => `${src}\n${dst}`;

export function layered(boxes: readonly Box[], edges: readonly (readonly [string, string])[]): Layout {
  const vertices: Vertex[] = boxes.map((box) => ({ box, layer: box.layer, h: box.h, anchor: box.anchor, before: [], behind: [], order: 0, y: 0 }));
  const number = new Map(boxes.map((box, n) => [box.id, n]));
  const chains = waypoints(vertices, number, edges);
  const layers = ordered(vertices, intoLayers(vertices));
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
  return layers;
}

function place(vertices: Vertex[], layers: number[][]): void {
  const { beforeAt, before, behindAt, behind } = flat(vertices, layers);
  const heights = layers.map((layer) => layer.reduce((sum, n) => sum + (vertices[n] as Vertex).h + GAP_Y, 0));
  const tallest = Math.max(1, ...heights);
  const y = new Float64Array(vertices.length);
  layers.forEach((layer, l) => {
    let top = (tallest - (heights[l] as number)) / 2;
    for (const n of layer) {
      const vertex = vertices[n] as Vertex;
      y[n] = top + vertex.anchor;
      top += vertex.h + GAP_Y;
    }
  });
  const columns = layers.map((layer) => column(vertices, layer));
  const passes = vertices.length > 8000 ? 6 : 16;
  for (let pass = 0; pass < passes; pass += 1)
    for (let i = 0; i < layers.length; i += 1) {
      const one = columns[pass % 2 === 0 ? i : layers.length - 1 - i] as Column;
      const last = pass >= passes - 2;
      for (let k = 0; k < one.layer.length; k += 1) {
        const n = one.layer[k] as number;
        let [sum, count] = [0, 0];
        if (last || pass % 2 === 0) for (let m = beforeAt[n] as number; m < (beforeAt[n + 1] as number); m += 1, count += 1) sum += y[before[m] as number] as number;
        if (last || pass % 2 === 1) for (let m = behindAt[n] as number; m < (behindAt[n + 1] as number); m += 1, count += 1) sum += y[behind[m] as number] as number;
        one.wanted[k] = count ? sum / count : (y[n] as number);
      }
      apart(one, y);
    }
  vertices.forEach((vertex, n) => { vertex.y = y[n] as number; });
}

/** A layer with how far below the first each anchor stands when all touch, how heavy each is, and room to count in. */
interface Column {
  layer: number[];
  offsets: Float64Array;
  weights: Float64Array;
  wanted: Float64Array;
  sums: Float64Array;
  weighs: Float64Array;
  counts: Int32Array;
}

function column(vertices: Vertex[], layer: number[]): Column {
  const made = () => new Float64Array(layer.length);
  const one = { layer, offsets: made(), weights: made(), wanted: made(), sums: made(), weighs: made(), counts: new Int32Array(layer.length) };
  let offset = 0;
  layer.forEach((n, i) => {
    const vertex = vertices[n] as Vertex;
    if (i > 0) {
      const above = vertices[layer[i - 1] as number] as Vertex;
      offset += above.h - above.anchor + (above.box || vertex.box ? GAP_Y : 6) + vertex.anchor;
    }
    one.offsets[i] = offset;
    one.weights[i] = vertex.box ? 1 : 2; // long edges are kept straight first
  });
  return one;
}

/** Anchors nearest to what is wanted, in the given order and without overlaps. */
function apart({ layer, offsets, weights, wanted, sums, weighs, counts }: Column, y: Float64Array): void {
  let blocks = 0;
  for (let i = 0; i < layer.length; i += 1) {
    let weight = weights[i] as number;
    let sum = ((wanted[i] as number) - (offsets[i] as number)) * weight;
    let count = 1;
    while (blocks && (sums[blocks - 1] as number) / (weighs[blocks - 1] as number) > sum / weight) {
      blocks -= 1;
      sum += sums[blocks] as number;
      weight += weighs[blocks] as number;
      count += counts[blocks] as number;
    }
    sums[blocks] = sum;
    weighs[blocks] = weight;
    counts[blocks] = count;
    blocks += 1;
  }
  let i = 0;
  for (let block = 0; block < blocks; block += 1) {
    const mean = (sums[block] as number) / (weighs[block] as number);
    for (let k = 0; k < (counts[block] as number); k += 1, i += 1) y[layer[i] as number] = mean + (offsets[i] as number);
  }
}

function drawn(vertices: Vertex[], layers: number[][], chains: [string, number[]][], _: Map<string, number>): Layout {
  const top = vertices.reduce((least, vertex) => Math.min(least, vertex.y - vertex.anchor), 0);
  const widths = layers.map((layer) => layer.reduce((most, n) => Math.max(most, (vertices[n] as Vertex).box?.w ?? 0), 0));
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
    const forward = (vertices[chain.at(-1) as number] as Vertex).layer > (vertices[chain[0] as number] as Vertex).layer;
    chain.forEach((n, place) => {
      const vertex = vertices[n] as Vertex;
      const y = vertex.y - top;
      const [begin, end] = [left[vertex.layer] as number, (left[vertex.layer] as number) + (widths[vertex.layer] as number)];
      if (!vertex.box) return void points.push([begin, y], [end, y]);
      // Level until it has left its column: a wider card may stand above or below.
      const spot = at[vertex.box.id] as Placed;
      const side = spot.x + (place === 0 ? vertex.box.w - vertex.box.inset : vertex.box.inset);
      const level: [number, number][] = forward && Math.abs((place === 0 ? end : begin) - side) > 1 ? [[place === 0 ? end : begin, y]] : [];
      points.push(...(place === 0 ? [[side, y] as [number, number], ...level] : [...level, [side, y] as [number, number]]));
    });
    routes[name] = points;
  }
  return { at, routes, width: Math.max(0, x - GAP_X), height };
}

/** The point halfway along the points. */
export function halfway(points: readonly (readonly [number, number])[]): [number, number] {
  const lengths = points.slice(1).map(([x, y], n) => Math.hypot(x - (points[n]?.[0] ?? 0), y - (points[n]?.[1] ?? 0)));
  let left = lengths.reduce((sum, length) => sum + length, 0) / 2;
  for (const [n, length] of lengths.entries()) {
    const [[ax, ay], [bx, by]] = [points[n] as readonly [number, number], points[n + 1] as readonly [number, number]];
    if (left <= length && length > 0) return [ax + ((bx - ax) * left) / length, ay + ((by - ay) * left) / length];
    left -= length;
  }
  const [x, y] = points[0] ?? [0, 0];
  return [x, y];
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
