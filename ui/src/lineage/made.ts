// Cards, edges and scenes for tests.
import type { Scene, SceneEdge, SceneNode } from "./scene";

export const node = (id: string, more: Partial<SceneNode> = {}): SceneNode => ({ id, shape: "node", type: "version", kind: "dataset", ref: `${id}@1`, label: id, namespace: "p", at: 1, last_at: 1, state: "", digest: null, level: "content", size: null, names: [], aliases: [], focus: false, count: 1, members: [], states: {}, lead: [], up: { count: 0, exact: true }, down: { count: 0, exact: true }, side: "", layer: 0, importance: 0, origin_unknown: false, deleted_at: null, marks: [], ...more });
export const edge = (src: string, dst: string, more: Partial<SceneEdge> = {}): SceneEdge => ({ src, dst, kind: "derived", roles: [], evidence: "observed", rule: "", count: 1, at: 1, also: false, loop: false, faint: false, marks: [], messages: [], vias: [], evidences: {}, recorded_at: 1, ...more });
export const scene = (ids: string[], edges: [string, string][], more: Partial<SceneNode> = {}): Scene => ({ nodes: ids.map((id) => node(id, more)), edges: edges.map(([a, b]) => edge(a, b)), focus: [ids[0] ?? ""], cut: false, cutReason: "", drawn: ids.length, hidden: 0 });
