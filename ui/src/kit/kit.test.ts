import { describe, expect, it, test } from "vitest";
import { fates } from "../datasets/schema";
import { cell, complete, csv, field, nextOrder, reason, stopped, within } from "../runs/filter";
import { column, differing, OWN, parseColumns, usual, value, writeColumns } from "../runs/columns";
import { at, better, delta, duration, figure, plain, signed, size } from "./format";
import { align, over, smooth, varied } from "./series";

describe("figures", () => {
  it.each([[0.861, "0.861"], [12480, "12,480"], [1e-9, "1.000e−9"], ["NaN", "NaN"], ["-Infinity", "−∞"], [null, ""], [-0.5, "−0.5"]])("%s is written %s", (given, text) => expect(figure(given as number)).toBe(text));
  it("have a sign when they are differences", () => expect([signed(0.049), signed(-2), delta(1, "NaN")]).toEqual(["+0.049", "−2", undefined]));
  it("know which way is better only where the name tells", () => expect([better("val_loss"), better("auc"), better("depth")]).toEqual([false, true, undefined]));
  it("of time and size are short", () => expect([duration(712e6), duration(5e5), size(2_340_000), size(null)]).toEqual(["11m 52s", "500 ms", "2.3 MB", "unknown"]));
});

describe("curves", () => {
  it("are smoothed without losing a gap", () => {
    const found = smooth([1, Number.NaN, 3], 0.5);
    expect(found[0]).toBe(1);
    expect(found[1]).toBeNaN();
    expect(found[2]).toBeCloseTo(2.333, 2);
  });
  it("lie over one axis, with holes where a curve has no point and gaps where it is no number", () => {
    expect(align([{ label: "a", x: [0, 2], y: [1, Number.NaN] }, { label: "b", x: [1], y: [5] }])).toEqual({ x: [0, 1, 2], ys: [[1, undefined, null], [undefined, 5, undefined]] });
  });
  it("of varying keys come first", () => expect(varied([{ same: 1, other: 1 }, { same: 1, other: 2 }])).toEqual(["other", "same"]));
});

describe("the filter", () => {
  const keys = { metrics: ["auc", "val loss"], params: ["lr"], tags: [] };
  it("completes fields, operators, states and AND", () => {
    expect(complete("metr", 4, keys).options).toEqual(["metrics.auc ", 'metrics."val loss" ']);
    expect(complete("metrics.auc ", 12, keys).options).toContain(">");
    expect(complete("state = f", 9, keys).options).toEqual(["finished", "failed"]);
    expect(complete("state = failed ", 15, keys).options).toEqual(["AND ", "OR ", "as of '", "valid at '"]);
    expect(complete("state = failed AND pa", 21, keys)).toEqual({ from: 19, options: ["params.lr ", "namespace "] });
  });
  it("completes lists, NULL, values, functions and what is named in terms of lineage", () => {
    const at = (text: string) => complete(text, text.length, keys);
    expect(at("state not ").options).toEqual(["LIKE ", "ILIKE ", "IN ("]);
    expect(at("state in (failed").options).toEqual([]);
    expect(at("state in (failed ").options).toEqual([", ", ") "]);
    expect(at("state in (failed, l").options).toEqual(["lost", "failed", "killed"]);
    expect(at("params.lr is ").options).toEqual(["NULL ", "NOT NULL "]);
    expect(at("params.lr = ")).toEqual({ from: 12, options: [], values: "params.lr" });
    expect(at('job = \'a b\' and metrics."val loss" ').options).toContain("<");
    expect(at("up").options).toContain("upstream(");
    expect(at("from chu")).toEqual({ from: 5, options: [], refs: "chu" });
    expect(at("used(").options).toContain("job ");
    expect(at("not (used(kind = model) or ").options).toContain("from ");
    expect(at("used(data/raw.csv ").options).toContain(")");
    expect(at("used(data/raw.csv) ").options).toEqual(["AND ", "OR ", "as of '", "valid at '"]);
    expect(at("state = failed as ").options).toEqual(["of '"]);
    expect(at("state = failed valid ").options).toEqual(["at '"]);
  });
  it("finds where the server stopped reading", () => {
    expect(stopped("at character 16 of the query: AND is missing\n  ...")).toBe(15);
    expect(reason("at character 16 of the query: AND is missing\n  ...")).toBe("AND is missing");
    expect(stopped("something else")).toBeUndefined();
  });
  it("quotes keys that are no plain words", () => expect([field("params", "lr"), field("params", "a b"), field("tags", 'say "x"')]).toEqual(["params.lr", 'params."a b"', 'tags.`say "x"`']));
  it("turns an order from down to up to the usual", () => expect([nextOrder("", "name"), nextOrder("name desc", "name"), nextOrder("name asc", "name")]).toEqual(["name desc", "name asc", ""]));
});

describe("CSV", () => {
  it("quotes what has to be and disarms formulas", () => expect(csv([["a,b", 'say "x"', "=1+1", -0.5, "-0.5", null]])).toBe('"a,b","say ""x""",\'=1+1,-0.5,-0.5,'));
  it("keeps numbers as they are", () => expect(cell(1e-7)).toBe("1e-7"));
});

describe("columns", () => {
  const run = { run_id: "1", job: "j", name: "", namespace: "", kind: "run", state: "finished", started_at: 0, ended_at: 1, actor: "", parent: null, exit_code: 0, metrics: { auc: 0.5 }, params: { "a,b": "x" }, tags: {}, groups: [] };
  it("survive the way through an address, whatever their keys", () => {
    const chosen = usual([run]);
    expect(parseColumns(writeColumns(chosen))).toEqual(chosen);
    expect(chosen.map((one) => value(run, one))).toEqual(["0.5", "x"]);
  });
  it("of a broken address are the usual ones", () => expect([parseColumns("{"), parseColumns("[1]"), parseColumns("")]).toEqual([undefined, [], undefined]));
});

it("tells what became of columns", () => {
  const col = (name: string, type: string, digest?: string) => ({ name, type, digest });
  const found = fates([col("a", "int", "1"), col("b", "str", "2"), col("c", "int", "3"), col("e", "int")], [col("a", "int", "1"), col("b", "int", "2"), col("d", "int", "4"), col("e", "int")]);
  expect(found.map(({ column, fate }) => `${column.name} ${fate}`)).toEqual(["a same", "b type", "c new", "e unknown", "d gone"]);
});

it("finds only what a mapping really has, whatever the key", () => expect([at({}, "__proto__"), at(JSON.parse('{"__proto__": 2}'), "__proto__"), at(undefined, "a")]).toEqual([undefined, 2, undefined]));

it("shows control and direction signs as boxes", () => expect(plain("a\u202eb\u0000c")).toBe("a▯b▯c"));

test("a curve over another one takes what that was at each step or last before", () => {
  const made = over({ label: "auc", x: [0, 1, 2, 3], y: [1, 2, 3, 4] }, { label: "loss", x: [1, 3], y: [0.9, Number.NaN] });
  expect(made).toEqual({ label: "auc", x: [0.9, 0.9], y: [2, 3] });
});

test("only columns in which runs differ are left", () => {
  const run = (lr: string, seed: string) => ({ params: { lr, seed }, metrics: {}, tags: {} }) as never;
  const columns = [...OWN.slice(0, 1), column("params", "lr"), column("params", "seed")];
  expect(differing(columns, [run("1", "7"), run("2", "7")]).map((one) => one.id)).toEqual(["name", "params.lr"]);
});

test("the runs of a group are meant by a query", () => {
  expect(within("state = failed", "params.lr", { value: "0.1" })).toBe("(state = failed) AND params.lr = '0.1'");
  expect(within("", "tags.a b", { value: null })).toBe('tags."a b" IS NULL');
  expect(within("", "metrics.auc", { value: "0.8 – 0.9", low: 0.8, high: 0.9 })).toBe("metrics.auc >= 0.8 AND metrics.auc < 0.9");
  expect(within("", "job", { value: "it's" })).toBe("job = 'it''s'");
});
