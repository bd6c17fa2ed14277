import { describe, expect, it } from "vitest";
import { crossings, ordered, type Ordered } from "./order";

/** Layers with edges between neighbouring ones, written as pairs of places. */
function made(sizes: number[], edges: [number, number][]): { vertices: Ordered[]; layers: number[][] } {
  const vertices: Ordered[] = sizes.flatMap((size) => Array.from({ length: size }, () => ({ before: [], behind: [], order: 0 })));
  for (const [a, b] of edges) {
    vertices[a]?.behind.push(b);
    vertices[b]?.before.push(a);
  }
  let n = 0;
  return { vertices, layers: sizes.map((size) => Array.from({ length: size }, () => n++)) };
}

describe("the order within layers", () => {
  it("has no crossing in a tree, however it is written down", () => {
    const edges: [number, number][] = [[0, 1], [0, 2], [0, 3], [1, 8], [2, 6], [3, 4], [1, 5], [2, 7], [3, 9]];
    const { vertices, layers } = made([1, 3, 6], edges);
    expect(crossings(vertices, ordered(vertices, layers))).toBe(0);
  });
  it("finds two bundles that lie over one another", () => {
    const { vertices, layers } = made([4, 4], [[0, 7], [1, 6], [2, 5], [3, 4], [0, 6], [1, 7], [2, 4], [3, 5]]);
    expect(crossings(vertices, ordered(vertices, layers))).toBe(2);
  });
  it("keeps every vertex in its layer, once", () => {
    const { vertices, layers } = made([5, 5], [[0, 9], [4, 5]]);
    const found = ordered(vertices, layers);
    expect(found.map((layer) => [...layer].sort((a, b) => a - b))).toEqual(layers);
    for (const layer of found) layer.forEach((n, place) => expect(vertices[n]?.order).toBe(place));
  });
});

it("counts the crossings of a full pair of layers", () => {
  const { vertices, layers } = made([3, 3], [0, 1, 2].flatMap((a) => [3, 4, 5].map((b): [number, number] => [a, b])));
  for (const layer of layers) layer.forEach((n, place) => Object.assign(vertices[n] as Ordered, { order: place }));
  expect(crossings(vertices, layers)).toBe(9);
});
