import { QueryClient } from "@tanstack/react-query";
import { beforeAll, expect, it, vi } from "vitest";

const asked: string[] = [];

beforeAll(() => {
  const store = { getItem: () => null, setItem: () => undefined, removeItem: () => undefined };
  vi.stubGlobal("window", { sessionStorage: store, localStorage: store, matchMedia: () => ({ matches: false, addEventListener: () => undefined }), location: { hash: "" }, addEventListener: () => undefined, setTimeout, clearTimeout });
  vi.stubGlobal("document", { baseURI: "http://here.example/tools/lineal/#/", documentElement: { dataset: {} } });
  vi.stubGlobal("fetch", async (input: string | Request) => {
    asked.push(typeof input === "string" ? input : input.url);
    return new Response("{}", { headers: { "content-type": "application/json" } });
  });
});

it.each([
  "#/lineage?ref=churn%40champion&budget=150&fold=0&hide=%5B%22run%22%5D&open=%5B%22up%3A3%22%5D&valid_at=5",
  "#/lineage?lens=overview",
  "#/runs?where=metrics.auc%20%3E%200.5%20AND%20params.x%20%3D%20'a%2Bb'&order=auc%20desc",
  `#/run?id=${"0".repeat(31)}1`,
  `#/run?id=${"0".repeat(31)}1&tab=files`,
])("what is asked before the page has arrived is what the page asks: %s", async (hash) => {
  const { begin } = await import("../api/early");
  const { first } = await import("./first");
  const { parse } = await import("./place");
  const { ahead } = await import("./ahead");
  asked.length = 0;
  const questions = first(parse(hash));
  for (const [path, query] of questions) begin(path, query);
  const queries = new QueryClient();
  ahead(queries, parse(hash));
  await vi.waitFor(() => expect(queries.isFetching()).toBe(0));
  expect(asked).toHaveLength(questions.length);
  expect(new Set(asked).size).toBe(questions.length);
  expect(queries.getQueryCache().getAll()).toHaveLength(questions.length);
  expect(queries.getQueryCache().getAll().every((one) => one.state.status === "success")).toBe(true);
});
