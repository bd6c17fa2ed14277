// What can be done to a scene after it was answered: grouping, naming winners. Pure functions only.
import { t } from "../text";
import { innerKind, type Mark, type Scene, type SceneEdge, type SceneNode, subtitle, title } from "./scene";

/** Cards with their layers counted anew: sources at 0, every edge forward but those of cycles, which are marked as loops. */
export function relayer(nodes: readonly SceneNode[], edges: readonly SceneEdge[]): { nodes: SceneNode[]; edges: SceneEdge[] } {
  const ids = new Set(nodes.map((node) => node.id));
  const out = new Map<string, string[]>();
  for (const edge of edges) if (ids.has(edge.src) && ids.has(edge.dst) && edge.src !== edge.dst) out.set(edge.src, [...(out.get(edge.src) ?? []), edge.dst]);
  const loops = new Set<string>();
  const state = new Map<string, 1 | 2>();
  for (const node of nodes) {
    if (state.has(node.id)) continue;
    const stack: [string, number][] = [[node.id, 0]];
    state.set(node.id, 1);
    while (stack.length) {
      const top = stack.at(-1) as [string, number];
      const next = out.get(top[0])?.[top[1]];
      top[1] += 1;
      if (next === undefined) {
        state.set(top[0], 2);
        stack.pop();
      } else if (state.get(next) === 1) loops.add(`${top[0]}\n${next}`);
      else if (!state.has(next)) {
        state.set(next, 1);
        stack.push([next, 0]);
      }
    }
  }
  const waiting = new Map(nodes.map((node) => [node.id, 0]));
  for (const [src, all] of out) for (const dst of all) if (!loops.has(`${src}\n${dst}`)) waiting.set(dst, (waiting.get(dst) ?? 0) + 1);
  const layer = new Map(nodes.map((node) => [node.id, 0]));
  const ready = nodes.filter((node) => !waiting.get(node.id)).map((node) => node.id);
  for (const id of ready)
    for (const dst of out.get(id) ?? []) {
      if (loops.has(`${id}\n${dst}`)) continue;
      layer.set(dst, Math.max(layer.get(dst) ?? 0, (layer.get(id) ?? 0) + 1));
      waiting.set(dst, (waiting.get(dst) ?? 0) - 1);
      if (!waiting.get(dst)) ready.push(dst);
    }
  return {
    nodes: nodes.map((node) => ({ ...node, layer: layer.get(node.id) ?? 0 })),
    edges: edges.filter((edge) => ids.has(edge.src) && ids.has(edge.dst)).map((edge) => ({ ...edge, loop: edge.loop || loops.has(`${edge.src}\n${edge.dst}`) })),
  };
}

/** The scene with what steps were told (files that are no data, such as their configuration) right beside them. Data stays on the left. */
export function beside<S extends Pick<Scene, "nodes" | "edges">>(scene: S): S {
  const read = new Set(scene.edges.map((edge) => edge.dst));
  const layer = new Map(scene.nodes.map((node) => [node.id, node.layer]));
  const first = new Map<string, number>();
  for (const edge of scene.edges) if (!edge.loop) first.set(edge.src, Math.min(first.get(edge.src) ?? Number.POSITIVE_INFINITY, layer.get(edge.dst) ?? 0));
  const told = (node: SceneNode) => TOLD.has(node.kind) && node.type === "version" && !read.has(node.id) && first.has(node.id);
  return { ...scene, nodes: scene.nodes.map((node) => (told(node) ? { ...node, layer: Math.max(node.layer, (first.get(node.id) ?? 0) - 1) } : node)) };
}

const TOLD = new Set(["other", "code", "environment", "config"]);

export type By = "" | "kind" | "namespace";
const NAMED = 12;
const MOST_MARKS = 8;

const once = <T>(all: readonly T[], most: number): T[] => [...new Map(all.map((one) => [JSON.stringify(one), one])).values()].slice(0, most);
const DOUBT = ["", "observed", "imported", "declared", "inferred"];
const weaker = (a: string, b: string): string => (DOUBT.indexOf(a) < DOUBT.indexOf(b) ? b : a);

/** Where several cards stand together when two ancestries are compared. */
function sideOf(all: readonly SceneNode[]): string {
  const sides = [...new Set(all.map((node) => node.side).filter(Boolean))];
  return sides.length < 2 ? (sides[0] ?? "") : "changed";
}

/** One card for several, and the lines between such cards. keyOf: what stands together; "" stands alone. */
function together(scene: Scene, keyOf: (node: SceneNode) => string, cardOf: (key: string, first: SceneNode, all: SceneNode[]) => Partial<SceneNode>): Scene {
  const groups = new Map<string, SceneNode[]>();
  for (const node of scene.nodes) {
    const name = keyOf(node) || `\n${node.id}`;
    groups.set(name, [...(groups.get(name) ?? []), node]);
  }
  const home = new Map<string, string>();
  const nodes = [...groups].map(([name, all]) => {
    const first = all.reduce((a, b) => (b.focus || (!a.focus && b.at > a.at) ? b : a));
    const states: Record<string, number> = {};
    for (const node of all) for (const [state, n] of Object.entries(node.shape === "node" && node.state && !Object.keys(node.states).length ? { [node.state]: 1 } : node.states)) states[state] = (states[state] ?? 0) + n;
    const card = all.length === 1 ? first : { ...first, count: all.reduce((sum, node) => sum + node.count, 0), states, side: sideOf(all), marks: once<Mark>(all.flatMap((node) => node.marks), MOST_MARKS), members: all.flatMap((node) => (node.members.length ? node.members : [node.ref])).slice(0, NAMED), focus: all.some((node) => node.focus), at: Math.min(...all.map((node) => node.at)), last_at: Math.max(...all.map((node) => node.last_at)), ...cardOf(name, first, all) };
    for (const node of all) home.set(node.id, card.id);
    return card;
  });
  const edges = new Map<string, SceneEdge>();
  for (const edge of scene.edges) {
    const [src, dst] = [home.get(edge.src) as string, home.get(edge.dst) as string];
    if (src === dst) continue;
    const known = edges.get(`${src}\n${dst}`);
    edges.set(`${src}\n${dst}`, known ? { ...known, count: known.count + edge.count, evidence: weaker(known.evidence, edge.evidence), roles: [...new Set([...known.roles, ...edge.roles])], also: known.also && edge.also, marks: once([...known.marks, ...edge.marks], MOST_MARKS), messages: once([...known.messages, ...edge.messages], NAMED) } : { ...edge, src, dst, loop: false });
  }
  return { ...scene, ...relayer(nodes, [...edges.values()]), focus: [...new Set(scene.focus.map((id) => home.get(id) ?? id))] };
}

/** Cards of one kind, or of one namespace, as one. Those that others lie between stay apart, so that what was a way stays a way. */
export function grouped(scene: Scene, by: By, expand: readonly string[] = []): Scene {
  if (!by) return scene;
  const what = (node: SceneNode) => (by === "kind" ? innerKind(node) : node.namespace || "-");
  const before = new Map<string, string[]>();
  for (const edge of scene.edges) if (!edge.loop) before.set(edge.dst, [...(before.get(edge.dst) ?? []), edge.src]);
  const known = new Map<string, { what: string; level: number }>();
  for (const node of [...scene.nodes].sort((a, b) => a.layer - b.layer)) {
    const mine = node.focus ? `\n${node.id}` : what(node);
    const level = Math.max(0, ...(before.get(node.id) ?? []).map((id) => { const other = known.get(id); return other ? other.level + (other.what === mine ? 0 : 1) : 0; }));
    known.set(node.id, { what: mine, level });
  }
  const keyOf = (node: SceneNode) => {
    const { what: mine, level } = known.get(node.id) as { what: string; level: number };
    const name = `by:${mine}:${level}`;
    return node.focus || expand.includes(name) ? "" : name;
  };
  return together(scene, keyOf, (name, first, all) => ({ id: name, shape: "group", ref: "", names: [], aliases: [], origin_unknown: false, up: sum(all, "up"), down: sum(all, "down"), label: by === "kind" ? t.lineage.ofKind(innerKind(first), all.length) : first.namespace || t.lineage.noNamespace }));
}

const sum = (all: readonly SceneNode[], side: "up" | "down") => ({ count: all.reduce((count, node) => count + node[side].count, 0), exact: all.every((node) => node[side].exact) });

/** The scene with the winner of each sweep named: the member that leads on, and to what. */
export function winners(scene: Scene): Scene {
  const byId = new Map(scene.nodes.map((node) => [node.id, node]));
  const won = (node: SceneNode): string | undefined => {
    const lead = node.shape === "group" && node.lead.length === 1 ? node.lead[0] : undefined;
    const led = lead && scene.edges.filter((edge) => edge.src === node.id).map((edge) => byId.get(edge.dst)).find((other) => other?.shape === "node" && (other.names.length > 0 || other.kind === "model"));
    return lead && led ? t.lineage.won(lead.replace(/^run:/, "").slice(0, 8), `${title(led)} ${subtitle(led)}`) : undefined;
  };
  return { ...scene, nodes: scene.nodes.map((node) => { const said = won(node); return said ? { ...node, won: said } : node; }) };
}
