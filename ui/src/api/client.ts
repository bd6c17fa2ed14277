// The one way to the server: typed by its own OpenAPI document.
import createClient, { type Middleware } from "openapi-fetch";
import { answer, home, token, V1 as v1, written } from "./early";
import type { components, paths } from "./schema";

export { keepToken, token } from "./early";

export type Schemas = components["schemas"];
export type RunSummary = Schemas["RunSummary"];
export type RunDetail = Schemas["RunDetail"];
export type VersionDetail = Schemas["VersionDetail"];
export type RunFile = Schemas["RunFile"];
export type RunChange = Schemas["RunChange"];
export type Change = Schemas["Change"];

/** What the server refused, in its own words. status 0: it did not answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint = "",
  ) {
    super(message);
  }
}

export const HOME = home();
const withToken: Middleware = {
  onRequest({ request }) {
    const shown = token();
    if (shown) request.headers.set("Authorization", `Bearer ${shown}`);
    request.headers.set("Accept", "application/json");
    return request;
  },
};
const client = createClient<paths>({ baseUrl: HOME.replace(/\/$/, ""), credentials: "same-origin", fetch: answer, querySerializer: written });
client.use(withToken);

type Answer<T> = { data?: T; error?: unknown; response: Response };

async function answered<T>(asking: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asking;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, "", "");
  }
  if (answer.response.ok && answer.data !== undefined) return answer.data;
  const said = (answer.error as { error?: { message?: string; hint?: string } } | undefined)?.error;
  throw new Refused(answer.response.status, said?.message ?? answer.response.statusText, said?.hint ?? "");
}

type Asked<P extends keyof paths> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? Q : never;
type Body<P extends keyof paths> = paths[P] extends { post: { requestBody: { content: { "application/json": infer B } } } } ? B : never;
type Signal = AbortSignal | undefined;

export const api = {
  whoami: (s?: Signal) => answered(client.GET(`${v1}/whoami`, { signal: s })),
  overview: (s?: Signal) => answered(client.GET(`${v1}/overview`, { signal: s })),
  attention: (s?: Signal) => answered(client.GET(`${v1}/attention`, { signal: s })),
  find: (query: Asked<"/api/lineal/v1/find">, s?: Signal) => answered(client.GET(`${v1}/find`, { params: { query }, signal: s })),
  runs: (query: Asked<"/api/lineal/v1/runs">, s?: Signal) => answered(client.GET(`${v1}/runs`, { params: { query }, signal: s })),
  runGroups: (query: Asked<"/api/lineal/v1/run-groups">, s?: Signal) => answered(client.GET(`${v1}/run-groups`, { params: { query }, signal: s })),
  views: (s?: Signal) => answered(client.GET(`${v1}/views`, { signal: s })),
  viewSave: (body: Body<"/api/lineal/v1/view-save">) => answered(client.POST(`${v1}/view-save`, { body })),
  viewDrop: (name: string) => answered(client.POST(`${v1}/view-drop`, { body: { name } })),
  fields: (s?: Signal) => answered(client.GET(`${v1}/fields`, { signal: s })),
  show: (ref: string, s?: Signal) => answered(client.GET(`${v1}/show`, { params: { query: { ref } }, signal: s })),
  charts: (query: Asked<"/api/lineal/v1/charts">, s?: Signal) => answered(client.GET(`${v1}/charts`, { params: { query }, signal: s })),
  metrics: (query: Asked<"/api/lineal/v1/metrics">, s?: Signal) => answered(client.GET(`${v1}/metrics`, { params: { query }, signal: s })),
  diff: (a: string, b: string, s?: Signal) => answered(client.GET(`${v1}/diff`, { params: { query: { a, b } }, signal: s })),
  profile: (query: Asked<"/api/lineal/v1/profile">, s?: Signal) => answered(client.GET(`${v1}/profile`, { params: { query }, signal: s })),
  columns: (query: Asked<"/api/lineal/v1/columns">, s?: Signal) => answered(client.GET(`${v1}/columns`, { params: { query }, signal: s })),
  impact: (query: Asked<"/api/lineal/v1/impact">, s?: Signal) => answered(client.GET(`${v1}/impact`, { params: { query }, signal: s })),
  preview: (query: Asked<"/api/lineal/v1/preview">, s?: Signal) => answered(client.GET(`${v1}/preview`, { params: { query }, signal: s })),
  health: (ref: string, s?: Signal) => answered(client.GET(`${v1}/health-of`, { params: { query: { ref } }, signal: s })),
  aliases: (name: string | undefined, history: boolean, s?: Signal) =>
    answered(client.GET(`${v1}/aliases`, { params: { query: { ...(name ? { name } : {}), history } }, signal: s })),
  models: (s?: Signal) => answered(client.GET(`${v1}/models`, { params: { query: { limit: 1000 } }, signal: s })),
  model: (name: string, s?: Signal) => answered(client.GET(`${v1}/model`, { params: { query: { name } }, signal: s })),
  artifacts: (query: Asked<"/api/lineal/v1/artifacts">, s?: Signal) => answered(client.GET(`${v1}/artifacts`, { params: { query }, signal: s })),
  artifact: (ref: string, s?: Signal) => answered(client.GET(`${v1}/artifact`, { params: { query: { ref } }, signal: s })),
  jobs: (s?: Signal) => answered(client.GET(`${v1}/jobs`, { params: { query: { limit: 500 } }, signal: s })),
  deployments: (s?: Signal) => answered(client.GET(`${v1}/deployments`, { params: { query: { limit: 500 } }, signal: s })),
  tokens: (s?: Signal) => answered(client.GET(`${v1}/tokens`, { params: { query: { all: true } }, signal: s })),
  tokenCreate: (body: Body<"/api/lineal/v1/token-create">) => answered(client.POST(`${v1}/token-create`, { body })),
  tokenRevoke: (id: string) => answered(client.POST(`${v1}/token-revoke`, { body: { id } })),
  tag: (body: Body<"/api/lineal/v1/tag">) => answered(client.POST(`${v1}/tag`, { body })),
  dependants: (refs: string[], s?: Signal) => answered(client.GET(`${v1}/dependants`, { params: { query: { refs } }, signal: s })),
  remove: (body: Body<"/api/lineal/v1/delete">) => answered(client.POST(`${v1}/delete`, { body })),
  scene: (query: Asked<"/api/lineal/v1/lineage/scene">, s?: Signal) => answered(client.GET(`${v1}/lineage/scene`, { params: { query }, signal: s })),
  message: (number: number, s?: Signal) => answered(client.GET(`${v1}/messages/of`, { params: { query: { number } }, signal: s })),
  trace: (query: Asked<"/api/lineal/v1/trace">, s?: Signal) => answered(client.GET(`${v1}/trace`, { params: { query }, signal: s })),
};

/** Kept bytes by their digest. */
export async function bytes(digest: string): Promise<Blob> {
  const shown = token();
  const answer = await fetch(`${HOME}api/lineal/v1/blobs/${digest}`, { headers: shown ? { Authorization: `Bearer ${shown}` } : {} });
  if (!answer.ok) throw new Refused(answer.status, answer.status === 404 ? "these bytes are not kept" : answer.statusText);
  return answer.blob();
}
