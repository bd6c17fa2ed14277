import { describe, expect, it } from "vitest";
import { edge, node, scene } from "./made";
import { beside, grouped, relayer, winners } from "./reshape";

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

it("names the winner of a sweep and what it became", () => {
  const group = node("g", { shape: "group", type: "run", lead: ["run:01a20e93ffff"] });
  const found = winners({ ...scene([], [["g", "m"]]), nodes: [group, node("m", { names: ["churn@2"], aliases: ["churn@champion"], kind: "model" })] });
  expect(found.nodes[0]?.won).toBe("01a20e93 became churn v2 champion");
});

it("puts what a step was told right beside it, and leaves data on the left", () => {
  const base = { nodes: [node("raw"), node("conf", { kind: "other" }), node("r", { layer: 1 }), node("t", { layer: 3 })], edges: [edge("raw", "t"), edge("conf", "t"), edge("raw", "r")] };
  expect(beside(base).nodes.map((one) => one.layer)).toEqual([0, 2, 1, 3]);
});
