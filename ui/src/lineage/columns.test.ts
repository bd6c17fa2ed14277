import { expect, it } from "vitest";
import { way, withColumns } from "./columns";
import { node, scene } from "./made";

const reply = (ref: string, columns: string[], from: [string, string, string][] = []) => ({
  ref, direction: "up", cut: false, as_of: null, roots: columns.map((_, n) => n + 1),
  nodes: [...columns.map((column, n) => ({ id: n + 1, ref, column, known: true })), ...from.map(([other, column], n) => ({ id: 100 + n, ref: other, column, known: true }))],
  edges: from.map(([, , into], n) => ({ src: 100 + n, dst: columns.indexOf(into) + 1, how: [], evidence: "declared", rule: "" })),
});
const base = { ...scene([], []), nodes: [node("a", { ref: "a@1" }), node("b", { ref: "b@1" })] };

it("shows the columns of a card, those with lines first, and leads lines to a card that is not opened", () => {
  const found = withColumns(base, [{ id: "b", reply: reply("b@1", ["x", "y", "z"], [["a@1", "p", "z"], ["elsewhere@1", "q", "x"]]) }]);
  expect(found.scene.nodes[1]?.columns).toEqual(["z", "x", "y"]);
  expect(found.lines.map((line) => [line.src, line.from, line.dst, line.into])).toEqual([["a", "", "b", "z"]]);
});

it("leads lines from column to column when both cards are opened, each once", () => {
  const known = [{ id: "a", reply: reply("a@1", ["p", "q"]) }, { id: "b", reply: reply("b@1", ["z"], [["a@1", "p", "z"]]) }, { id: "b", reply: reply("b@1", ["z"], [["a@1", "p", "z"]]) }];
  const { lines } = withColumns(base, known);
  expect(lines.map((line) => [line.from, line.into])).toEqual([["p", "z"]]);
  expect([...way(lines, "a", "p")]).toEqual(["a\np", "b\nz"]);
  expect([...way(lines, "a", "q")]).toEqual(["a\nq"]);
});

it("says of a card whose columns are not known that it has none", () => {
  expect(withColumns(base, [{ id: "a" }]).scene.nodes[0]?.columns).toEqual([]);
});
