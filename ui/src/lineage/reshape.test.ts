import { describe, expect, it } from "vitest";
import { edge, node, scene } from "./made";
import { beside, grouped, happened, hidden, relayer, series, winners } from "./reshape";

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

describe("hiding kinds", () => {
  const run = (id: string) => node(id, { type: "run", kind: "run" });
  const base = { ...scene(["a"], [["a", "r"], ["r", "b"], ["b", "s"], ["s", "c"]]), nodes: [node("a", { focus: true }), run("r"), node("b"), run("s"), node("c")] };
  it("connects through what is hidden, and counts it on the line", () => {
    const found = hidden(base, ["run"]);
    expect(found.nodes.map((one) => one.id)).toEqual(["a", "b", "c"]);
    expect(found.edges.map((one) => [one.src, one.dst, one.through])).toEqual([["a", "b", 1], ["b", "c", 1]]);
    const steps = hidden(base, ["dataset"]);
    expect(steps.nodes.map((one) => one.id)).toEqual(["a", "r", "s"]); // the focus stays
    expect(steps.edges.map((one) => [one.src, one.dst])).toEqual([["a", "r"], ["r", "s"]]);
  });
  it("keeps the weakest evidence and the marks of what it leads through", () => {
    const mark = { kind: "stale", said: "old", ref: "", id: "" };
    const edges = [edge("a", "r", { marks: [mark] }), edge("r", "b", { evidence: "inferred" })];
    const found = hidden({ ...base, edges, nodes: base.nodes.slice(0, 3) }, ["run"]);
    expect(found.edges[0]).toMatchObject({ evidence: "inferred", marks: [mark], through: 1 });
  });
  it("keeps a hub through which more lines would run than can be drawn", () => {
    const many = Array.from({ length: 60 }, (_, n) => `i${n}`);
    const outs = many.map((id) => `o${id}`);
    const hub = { ...scene([], []), nodes: [...many.map((id) => node(id)), run("hub"), ...outs.map((id) => node(id))], edges: [...many.map((id) => edge(id, "hub")), ...outs.map((id) => edge("hub", id))] };
    expect(hidden(hub, ["run"]).nodes).toHaveLength(121);
  });
  it("survives a circle of hidden cards", () => {
    const circle = { ...scene([], [["r", "s"], ["s", "r"], ["a", "r"], ["s", "c"]]), nodes: [node("a"), run("r"), run("s"), node("c")] };
    expect(hidden(circle, ["run"]).edges.map((one) => [one.src, one.dst])).toEqual([["a", "c"]]);
  });
});

describe("grouping", () => {
  const run = (id: string, layer: number) => node(id, { type: "run", kind: "run", layer });
  const base = { ...scene([], [["a", "r"], ["b", "s"], ["r", "c"], ["s", "d"], ["c", "m"], ["d", "m"]]), nodes: [node("a"), node("b"), run("r", 1), run("s", 1), node("c", { layer: 2 }), node("d", { layer: 2 }), node("m", { layer: 3, kind: "model", focus: true })] };
  it("makes one card of those of a kind that no other kind lies between", () => {
    const found = grouped(base, "kind");
    expect(found.nodes.map((one) => [one.id, one.count])).toEqual([["by:dataset:0", 2], ["by:run:1", 2], ["by:dataset:2", 2], ["m", 1]]);
    expect(found.edges.map((one) => [one.src, one.dst, one.count])).toEqual([["by:dataset:0", "by:run:1", 2], ["by:run:1", "by:dataset:2", 2], ["by:dataset:2", "m", 2]]);
    expect(found.edges.some((one) => one.loop)).toBe(false);
  });
  it("makes one card of a namespace, and opens it again", () => {
    const spaces = { ...base, nodes: base.nodes.map((one) => ({ ...one, namespace: ["a", "b", "r", "s"].includes(one.id) ? "raw" : "ml" })) };
    expect(grouped(spaces, "namespace").nodes.map((one) => [one.label, one.count])).toEqual([["raw", 4], ["ml", 2], ["m", 1]]);
    expect(grouped(spaces, "namespace", ["by:raw:0"]).nodes.map((one) => one.id)).toContain("r");
  });
  it("never draws a circle where there was none", () => {
    for (const by of ["kind", "namespace"] as const) expect(grouped(base, by).edges.every((one) => !one.loop)).toBe(true);
  });
});

describe("a comparison without versions", () => {
  const two = { ...scene(["x", "y", "z"], [["x", "z"], ["y", "z"]]), nodes: [node("x", { ref: "t@1", at: 1, side: "left" }), node("y", { ref: "t@2", at: 2, side: "right" }), node("z", { ref: "m@1", side: "same" })] };
  it("lays the versions of one artifact together, and says that it changed", () => {
    const found = series(two, "logical");
    expect(found.nodes.map((one) => [one.id, one.count, one.side])).toEqual([["y", 2, "changed"], ["z", 1, "same"]]);
    expect(found.edges.map((one) => [one.src, one.dst, one.count])).toEqual([["y", "z", 2]]);
  });
  it("leaves versions alone", () => {
    expect(series(two, "versions")).toBe(two);
  });
});

it("shows what had happened by a moment, connected with the focus", () => {
  const base = { ...scene([], []), nodes: [node("m", { focus: true }), node("r"), node("a"), node("z")], edges: [edge("a", "r", { at: 5 }), edge("r", "m", { at: 9 }), edge("m", "z", { at: 20 })] };
  expect(happened(base, 10).nodes.map((one) => one.id)).toEqual(["m", "r", "a"]);
  expect(happened(base, 6).nodes.map((one) => one.id)).toEqual(["m"]);
  expect(happened(base, 20).nodes).toHaveLength(4);
});

it("names the winner of a sweep and what it became", () => {
  const group = node("g", { shape: "group", type: "run", lead: ["run:01a20e93ffff"] });
  const found = winners({ ...scene([], [["g", "m"]]), nodes: [group, node("m", { names: ["churn@2"], aliases: ["churn@champion"], kind: "model" })] });
  expect(found.nodes[0]?.won).toBe("01a20e93 became churn v2 champion");
});

it("puts what a step was told right beside it, and leaves data on the left", () => {
  const base = { nodes: [node("raw"), node("conf", { kind: "other" }), node("r", { layer: 1 }), node("t", { layer: 3 })], edges: [edge("raw", "t"), edge("conf", "t"), edge("raw", "r")] };
  expect(beside(base).nodes.map((one) => one.layer)).toEqual([0, 2, 1, 3]);
});
