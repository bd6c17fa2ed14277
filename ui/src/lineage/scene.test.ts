import { describe, expect, it } from "vitest";
import { edge, node, scene } from "./made";
import { changes, health, lit, mermaid, search, shortest, step, title } from "./scene";

describe("lighting", () => {
  const edges = [edge("a", "b"), edge("b", "c"), edge("b", "d"), edge("x", "c")];
  it("shows all ways through the chosen card", () => {
    expect([...lit(edges, "b")].sort()).toEqual(["a", "b", "c", "d"]);
  });
  it("shows the ways between two cards, whichever was chosen first", () => {
    expect([...lit(edges, "c", "a")].sort()).toEqual(["a", "b", "c"]);
    expect([...lit(edges, "a", "c")].sort()).toEqual(["a", "b", "c"]);
  });
  it("lights nothing when nothing is chosen", () => {
    expect(lit(edges, undefined).size).toBe(0);
  });
});

it("finds cards by name, reference or alias", () => {
  const all = [node("sales"), node("m", { names: ["churn@2"], aliases: ["churn@champion"] })];
  expect(search(all, "CHAMP").map((one) => one.id)).toEqual(["m"]);
  expect(search(all, " ")).toEqual([]);
});

it("walks with the arrow keys along edges and columns", () => {
  const graph = { nodes: [node("a"), node("b", { layer: 1 }), node("c", { layer: 1 })], edges: [edge("a", "b"), edge("a", "c")] };
  const at = { a: { x: 0, y: 50 }, b: { x: 100, y: 0 }, c: { x: 100, y: 60 } };
  expect(step(graph, at, "a", "right")).toBe("c");
  expect(step(graph, at, "c", "up")).toBe("b");
  expect(step(graph, at, "b", "left")).toBe("a");
  expect(step(graph, at, "b", "up")).toBeUndefined();
});

it("tells what changed between two scenes", () => {
  expect(changes(scene(["a", "b"], []), scene(["b", "c"], [["b", "c"]]))).toEqual({ added: ["c"], gone: ["a"], lines: 1 });
  expect(changes(undefined, scene(["a"], []))).toEqual({ added: [], gone: [], lines: 0 });
});

it("says in words what is wrong with a card", () => {
  expect(health(node("a", { origin_unknown: true })).word).toBe("origin unknown");
  expect(health(node("r", { type: "run", state: "failed" })).tone).toBe("bad");
  expect(health(node("a", { deleted_at: 3 })).word).toBe("deleted");
  expect(health(node("a", { level: "none" })).word).toBe("content not known");
});

it("writes names from outside as text of Mermaid, never as its syntax", () => {
  const evil = 'x"] --> z["\n<script>`';
  const text = mermaid({ nodes: [node("a", { label: evil })], edges: [] });
  expect(text.split("\n").filter(Boolean)).toHaveLength(2);
  expect(text).not.toContain("<script");
  expect(text.match(/"/g)).toHaveLength(2);
});

it("takes signs that turn the writing direction out of titles", () => {
  expect(title(node("a", { label: "a\u202eb" }))).toBe("a\u25afb");
});

it("finds the shortest way between two cards, along the edges only", () => {
  const edges = [edge("a", "b"), edge("b", "c"), edge("c", "d"), edge("a", "c")];
  expect(shortest(edges, "a", "d")).toEqual(["a", "c", "d"]);
  expect(shortest(edges, "d", "a")).toBeUndefined();
});

it("calls a chain by all its steps", () => {
  expect(title(node("c", { shape: "chain", label: "src/clean.py → data/clean.csv → very/long/path/to/the/last.py" }))).toBe("clean.py → clean.csv → last.py");
});
