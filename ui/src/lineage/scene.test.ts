import { describe, expect, it } from "vitest";
import { changes, health, lit, mermaid, merge, relayer, type Scene, type SceneEdge, type SceneNode, search, step, through, title } from "./scene";

const node = (id: string, more: Partial<SceneNode> = {}): SceneNode => ({ id, shape: "node", type: "version", kind: "dataset", ref: `${id}@1`, label: id, namespace: "p", at: 1, last_at: 1, state: "", digest: null, level: "content", size: null, names: [], aliases: [], focus: false, count: 1, members: [], states: {}, lead: [], up: { count: 0, exact: true }, down: { count: 0, exact: true }, side: "", layer: 0, importance: 0, origin_unknown: false, deleted_at: null, marks: [], metrics: [], commit: "", essential: false, serves: false, way: false, ...more });
const edge = (src: string, dst: string, more: Partial<SceneEdge> = {}): SceneEdge => ({ src, dst, kind: "derived", roles: [], evidence: "observed", rule: "", count: 1, at: 1, also: false, loop: false, faint: false, marks: [], messages: [], vias: [], evidences: {}, over: 0, way: false, recorded_at: 0, ...more });
const scene = (ids: string[], edges: [string, string][], more: Partial<SceneNode> = {}): Scene => ({ nodes: ids.map((id) => node(id, more)), edges: edges.map(([a, b]) => edge(a, b)), focus: [ids[0] ?? ""], cut: false, cutReason: "", drawn: ids.length, hidden: 0 });

describe("layers", () => {
  it("count from the sources, the longest way", () => {
    const found = relayer([node("a"), node("b"), node("c")], [edge("a", "b"), edge("b", "c"), edge("a", "c")]);
    expect(found.nodes.map((one) => one.layer)).toEqual([0, 1, 2]);
  });
  it("survive a cycle, whose closing edge is marked", () => {
    const found = relayer([node("a"), node("b")], [edge("a", "b"), edge("b", "a")]);
    expect(found.edges.filter((one) => one.loop)).toHaveLength(1);
    expect(found.nodes.map((one) => one.layer)).toEqual([0, 1]);
  });
  it("of a long chain need no deep stack", () => {
    const ids = Array.from({ length: 20_000 }, (_, n) => `n${n}`);
    const found = relayer(ids.map((id) => node(id)), ids.slice(1).map((id, n) => edge(ids[n] ?? "", id)));
    expect(found.nodes.at(-1)?.layer).toBe(19_999);
  });
});

describe("merging", () => {
  it("adds what was opened and keeps the smaller count of what is hidden", () => {
    const base = { ...scene(["a"], []), nodes: [node("a", { down: { count: 5, exact: true } })] };
    const found = merge(base, [{ ...scene(["a", "b"], [["a", "b"]]), nodes: [node("a", { down: { count: 4, exact: true } }), node("b")] }]);
    expect(found.nodes.map((one) => [one.id, one.layer])).toEqual([["a", 0], ["b", 1]]);
    expect(found.nodes[0]?.down.count).toBe(4);
  });
  it("does not draw twice what a group stands for", () => {
    const base = { ...scene(["g"], []), nodes: [node("g", { shape: "group", members: ["b@1"] })] };
    expect(merge(base, [scene(["b"], [])]).nodes.map((one) => one.id)).toEqual(["g"]);
  });
});

describe("lenses", () => {
  it("lay the versions of one artifact together", () => {
    const two = { ...scene(["x", "y", "z"], [["x", "z"], ["y", "z"]]), nodes: [node("x", { ref: "t@1", at: 1 }), node("y", { ref: "t@2", at: 2 }), node("z")] };
    const found = through(two, "logical");
    expect(found.nodes.map((one) => [one.id, one.count])).toEqual([["y", 2], ["z", 1]]);
    expect(found.edges.map((one) => [one.src, one.dst, one.count])).toEqual([["y", "z", 2]]);
  });
  it("leave the scene alone when versions are wanted", () => {
    const one = scene(["a"], []);
    expect(through(one, "versions")).toBe(one);
  });
});

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
  expect(changes(scene(["a", "b"], []), scene(["b", "c"], []))).toEqual({ added: ["c"], gone: ["a"] });
  expect(changes(undefined, scene(["a"], []))).toEqual({ added: [], gone: [] });
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
