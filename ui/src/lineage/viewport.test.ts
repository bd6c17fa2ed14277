import { describe, expect, it } from "vitest";
import { drift, opening } from "./viewport";

describe("the first view", () => {
  it("shows all of a small graph, in the middle and never enlarged", () => {
    const view = opening({ width: 400, height: 100 }, { x: 0, y: 0 }, 1000, 700);
    expect(view.zoom).toBe(1);
    expect(view.x).toBeCloseTo(300);
  });
  it("shows what a large graph is about, so that words can be read", () => {
    const view = opening({ width: 4000, height: 300 }, { x: 2000, y: 150 }, 1000, 700);
    expect(view.zoom).toBeGreaterThanOrEqual(0.7);
    expect(2000 * view.zoom + view.x).toBeGreaterThan(400);
    expect(2000 * view.zoom + view.x).toBeLessThan(800);
  });
  it("leaves no empty space beside an end of it", () => {
    const view = opening({ width: 4000, height: 300 }, { x: 3990, y: 150 }, 1000, 700);
    expect(4000 * view.zoom + view.x).toBeCloseTo(1000 - 28);
    expect(opening({ width: 4000, height: 300 }, { x: 0, y: 0 }, 1000, 700).x).toBe(28);
  });
  it("shows all of it when it is about nothing in particular", () => {
    expect(opening({ width: 4000, height: 300 }, undefined, 1000, 700).zoom).toBeLessThan(0.3);
  });
});

it("keeps in its place what was opened, what was chosen, or what came instead", () => {
  const old = { a: { x: 0, y: 0 }, pill: { x: 100, y: 50 } };
  const now = { a: { x: 10, y: 5 }, s2: { x: 300, y: 60 }, s1: { x: 140, y: 70 } };
  expect(drift(old, now, [undefined, "a"])).toEqual({ x: 10, y: 5 });
  expect(drift(old, now, ["pill", "a"])).toEqual({ x: 40, y: 20 });
  expect(drift(old, now, ["new"])).toEqual({ x: 0, y: 0 });
});
