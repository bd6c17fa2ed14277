import { describe, expect, it } from "vitest";
import { drift, opening, overhang } from "./viewport";

/** A layout of so many layers, one card each. */
const wide = (layers: number, height = 300) => {
  const at = Object.fromEntries(Array.from({ length: layers }, (_, n) => [`c${n}`, { x: n * 216, y: 0 }]));
  return { width: layers * 216 - 36, height, at };
};

describe("the first view", () => {
  it("shows all of a small graph, in the middle and never enlarged", () => {
    const view = opening(wide(2, 100), { x: 0, y: 0 }, 1000, 700);
    expect(view.zoom).toBe(1);
    expect(view.x).toBeCloseTo(302);
  });
  it("shows all of one that can still be read", () => {
    const view = opening(wide(8), { x: 1600, y: 150 }, 1064, 700);
    expect(view.zoom).toBeCloseTo(1016 / 1692);
    expect(view.x).toBeCloseTo(24);
  });
  it("shows what a large graph is about, so that words can be read, and cuts no layer at the left", () => {
    const layout = wide(20);
    const view = opening(layout, { x: 2160, y: 150 }, 1000, 700);
    expect(view.zoom).toBeGreaterThanOrEqual(0.7);
    expect(2160 * view.zoom + view.x).toBeGreaterThan(400);
    expect(2160 * view.zoom + view.x).toBeLessThan(920);
    expect(Object.values(layout.at).some((spot) => Math.abs(spot.x * view.zoom + view.x - 24) < 0.01)).toBe(true);
  });
  it("leaves no empty space beside an end of it", () => {
    const view = opening(wide(20), { x: 4194, y: 150 }, 1000, 700);
    expect(wide(20).width * view.zoom + view.x).toBeCloseTo(1000 - 24);
    expect(opening(wide(20), { x: 0, y: 0 }, 1000, 700).x).toBe(24);
  });
  it("shows all of it when it is about nothing in particular", () => {
    expect(opening(wide(20), undefined, 1000, 700).zoom).toBeLessThan(0.3);
  });
});

it("moves what would be hidden behind the facts, and only so far", () => {
  expect(overhang({ x: 800 }, 180, { x: 0, y: 0, zoom: 1 }, 1000)).toBe(4);
  expect(overhang({ x: 100 }, 180, { x: 0, y: 0, zoom: 1 }, 1000)).toBe(0);
});

it("keeps in its place what was opened, what was chosen, or what came instead", () => {
  const old = { a: { x: 0, y: 0 }, pill: { x: 100, y: 50 } };
  const now = { a: { x: 10, y: 5 }, s2: { x: 300, y: 60 }, s1: { x: 140, y: 70 } };
  expect(drift(old, now, [undefined, "a"])).toEqual({ x: 10, y: 5 });
  expect(drift(old, now, ["pill", "a"])).toEqual({ x: 40, y: 20 });
  expect(drift(old, now, ["new"])).toEqual({ x: 0, y: 0 });
});
