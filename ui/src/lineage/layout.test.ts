import { describe, expect, it } from "vitest";
import { type Box, key, layered, path } from "./layout";

/** A seeded graph in layers with fan-in and fan-out, as lineage has them. */
function made(count: number, seed: number): { boxes: Box[]; edges: [string, string][] } {
  let state = seed;
  const chance = () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const depth = Math.max(2, Math.round(Math.sqrt(count) / 1.5));
  const boxes: Box[] = Array.from({ length: count }, (_, n) => ({ id: `n${n}`, layer: Math.floor((n / count) * depth), w: 100 + Math.floor(chance() * 120), h: 40 + Math.floor(chance() * 60), anchor: 20, inset: 0 }));
  const edges: [string, string][] = [];
  for (const box of boxes) {
    const earlier = boxes.filter((other) => other.layer < box.layer && other.layer >= box.layer - 3);
    for (let k = 0; k < 1 + Math.floor(chance() * 2) && earlier.length; k += 1) edges.push([earlier[Math.floor(chance() * earlier.length)]?.id ?? "", box.id]);
  }
  return { boxes, edges };
}

describe.each([[1], [2], [12], [60], [150], [700], [2000]])("a graph of %i cards", (count) => {
  const { boxes, edges } = made(count, count + 7);
  const layout = layered(boxes, edges);

  it("places every card, none over another", () => {
    expect(Object.keys(layout.at).length).toBe(count);
    const columns = new Map<number, Box[]>();
    for (const box of boxes) columns.set(box.layer, [...(columns.get(box.layer) ?? []), box]);
    for (const column of columns.values()) {
      const sorted = column.map((box) => ({ box, y: layout.at[box.id]?.y ?? Number.NaN })).sort((a, b) => a.y - b.y);
      sorted.forEach(({ box, y }, n) => {
        const next = sorted[n + 1];
        if (next) expect(y + box.h, `${box.id} over ${next.box.id}`).toBeLessThanOrEqual(next.y + 0.01);
      });
    }
  });

  it("leads every edge forward, from the right side of a card to the left side of another", () => {
    for (const [src, dst] of edges) {
      const points = layout.routes[key(src, dst)] ?? [];
      expect(points.length).toBeGreaterThan(1);
      points.forEach(([x], n) => n && expect(x).toBeGreaterThanOrEqual((points[n - 1]?.[0] ?? 0) - 0.01));
      const [a, b] = [boxes.find((box) => box.id === src), layout.at[dst]];
      expect(points[0]?.[0]).toBeCloseTo((layout.at[src]?.x ?? 0) + (a?.w ?? 0));
      expect(points.at(-1)?.[0]).toBeCloseTo(b?.x ?? Number.NaN);
    }
  });

  it("leads no edge through another card", () => {
    const places = boxes.map((box) => ({ id: box.id, x: layout.at[box.id]?.x ?? 0, y: layout.at[box.id]?.y ?? 0, w: box.w, h: box.h }));
    for (const [src, dst] of count > 150 ? [] : edges) {
      const points = layout.routes[key(src, dst)] ?? [];
      points.slice(1).forEach(([x, y], n) => {
        const [px, py] = points[n] as [number, number];
        for (let part = 1; part < 10; part += 1) {
          const [ax, ay] = [px + ((x - px) * part) / 10, py + ((y - py) * part) / 10];
          expect(places.find((box) => box.id !== src && box.id !== dst && ax > box.x + 1 && ax < box.x + box.w - 1 && ay > box.y + 1 && ay < box.y + box.h - 1)?.id).toBeUndefined();
        }
      });
    }
  });

  it("is the same every time", () => {
    expect(layered(boxes, edges)).toEqual(layout);
  });
});

describe("what is odd", () => {
  const box = (id: string, layer: number): Box => ({ id, layer, w: 100, h: 40, anchor: 20, inset: 0 });
  it("draws an edge against the layers and leaves out those to cards that are not there", () => {
    const layout = layered([box("a", 0), box("b", 1)], [["a", "b"], ["b", "a"], ["a", "zz"], ["a", "a"]]);
    expect(Object.keys(layout.routes).sort()).toEqual([key("a", "b"), key("b", "a")]);
  });
  it("has no crossing where none is needed", () => {
    const boxes = [box("a", 0), box("b", 0), box("c", 1), box("d", 1)];
    const { at } = layered(boxes, [["a", "d"], ["b", "c"]]);
    expect(((at.a?.y ?? 0) - (at.b?.y ?? 0)) * ((at.d?.y ?? 0) - (at.c?.y ?? 0))).toBeGreaterThan(0);
  });
  it("gives an empty picture of nothing", () => {
    expect(layered([], [])).toEqual({ at: {}, routes: {}, width: 0, height: 0 });
    expect(path([])).toBe("");
  });
});
