// The scene that the server answered, made into what is drawn. Pure functions only.
import type { Schemas } from "../api/client";
import { plain, runId } from "../kit/format";
import type { Box } from "./layout";

export type SceneNode = Schemas["SceneNode"];
export type SceneEdge = Schemas["SceneEdge"];
export type Lens = "versions" | "logical" | "overview";

export interface Scene {
  nodes: SceneNode[];
  edges: SceneEdge[];
  focus: string[];
  cut: boolean;
  cutReason: string;
  drawn: number;
  hidden: number;
}

export type Look = "card" | "circle" | "sweep" | "pill";

export const sceneOf = (reply: Schemas["SceneReply"]): Scene => ({ nodes: reply.nodes, edges: reply.edges, focus: reply.focus, cut: reply.cut, cutReason: reply.cut_reason, drawn: reply.drawn, hidden: reply.hidden });

/** How a card looks: steps are small circles, so that ten layers still fit on a screen. */
export function look(node: SceneNode): Look {
  if (node.shape === "chain" || node.shape === "cycle") return "pill";
  if (node.shape === "group") return "sweep";
  return node.type === "run" && node.kind !== "deployment" ? "circle" : "card";
}

const SIZES: Record<Look, { w: number; h: number; anchor: number; inset: number }> = {
  card: { w: 176, h: 56, anchor: 28, inset: 0 },
  circle: { w: 92, h: 84, anchor: 24, inset: 24 },
  sweep: { w: 210, h: 96, anchor: 48, inset: 0 },
  pill: { w: 108, h: 40, anchor: 20, inset: 0 },
};

export const boxOf = (node: SceneNode): Box => ({ id: node.id, layer: node.layer, ...SIZES[look(node)] });
export const kindOf = (node: SceneNode): string => (node.shape === "group" ? "group" : node.shape === "chain" || node.shape === "cycle" ? "chain" : node.type === "run" && node.kind !== "deployment" ? "run" : node.kind);

export function title(node: SceneNode): string {
  if (node.shape === "chain") return `${node.count} steps`;
  if (node.shape === "cycle") return `cycle of ${node.count}`;
  const name = node.names[0] ?? node.label;
  return ending(plain(node.type === "version" && node.names[0] ? name.split("@").slice(0, -1).join("@") : name));
}

/** Of a long path or address its last parts, which tell more than its first. */
function ending(name: string): string {
  const parts = name.split("/").filter(Boolean);
  if (name.length <= 22 || parts.length < 2) return name;
  const last = parts.at(-1) ?? name;
  const two = parts.slice(-2).join("/");
  return name.includes("://") || two.length > 22 ? last : two;
}

export function subtitle(node: SceneNode): string {
  if (node.shape === "chain" || node.shape === "cycle") return plain(node.label);
  if (node.shape === "group") return Object.entries(node.states).map(([state, count]) => `${count} ${state}`).join(", ") || `${node.count} alike`;
  if (node.type === "run") return node.kind === "deployment" ? node.state : runId(node.ref).slice(0, 8);
  const version = (node.names[0] ?? node.ref).split("@").at(-1) ?? "";
  const alias = node.aliases.map((one) => one.split("@").at(-1)).join(", ");
  return plain([/^\d+$/.test(version) ? `v${version}` : version, alias || node.kind].filter(Boolean).join(" "));
}

export type Tone = "good" | "bad" | "warn" | "info";

/** What the dot on a card says, with its word. */
export function health(node: SceneNode): { tone: Tone; word: string } {
  if (node.deleted_at !== null && node.deleted_at !== undefined) return { tone: "bad", word: "deleted" };
  const failed = (node.states.failed ?? 0) + (node.states.killed ?? 0) + (node.states.lost ?? 0);
  if (["failed", "killed"].includes(node.state)) return { tone: "bad", word: node.state };
  if (node.state === "lost") return { tone: "warn", word: "lost" };
  if (node.state === "running") return node.kind === "deployment" ? { tone: "good", word: "live" } : { tone: "info", word: "running" };
  if (node.shape === "group" && failed) return { tone: "warn", word: `${failed} failed` };
  if (node.origin_unknown) return { tone: "warn", word: "origin unknown" };
  if (node.type === "version" && node.shape === "node" && !["content", "native"].includes(node.level)) return { tone: "warn", word: "content not known" };
  return { tone: "good", word: node.type === "run" ? node.state || "finished" : "identified" };
}

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

/** The scene with what was opened around some of its cards. A vertex that a group already stands for is not drawn twice. */
export function merge(base: Scene, more: readonly Scene[]): Scene {
  if (!more.length) return base;
  const nodes = new Map(base.nodes.map((node) => [node.id, node]));
  const inGroups = new Set(base.nodes.filter((node) => node.shape !== "node").flatMap((node) => node.members));
  const edges = new Map(base.edges.map((edge) => [`${edge.src}\n${edge.dst}`, edge]));
  for (const scene of more) {
    for (const node of scene.nodes) {
      const known = nodes.get(node.id);
      if (known) nodes.set(node.id, { ...known, up: fewer(known.up, node.up), down: fewer(known.down, node.down) });
      else if (!inGroups.has(node.ref)) nodes.set(node.id, { ...node, focus: false, importance: 0 });
    }
    for (const edge of scene.edges) if (!edges.has(`${edge.src}\n${edge.dst}`)) edges.set(`${edge.src}\n${edge.dst}`, edge);
  }
  const all = relayer([...nodes.values()], [...edges.values()]);
  return { ...base, ...all, drawn: base.drawn + nodes.size - base.nodes.length };
}

const fewer = (a: SceneNode["up"], b: SceneNode["up"]): SceneNode["up"] => (b.count < a.count ? b : a);

/** The scene without versions (logical: one card per job and artifact) or by kind within a namespace (overview). */
export function through(scene: Scene, lens: Lens): Scene {
  if (lens === "versions") return scene;
  const keyOf = (node: SceneNode) => (lens === "logical" ? [node.type, node.kind === "deployment" ? node.label : node.type === "run" ? node.label : node.ref.split("@").slice(0, -1).join("@") || node.label, node.shape === "chain" ? node.id : ""] : [node.type, node.kind, node.namespace]).join("\n");
  const groups = new Map<string, SceneNode[]>();
  for (const node of scene.nodes) groups.set(keyOf(node), [...(groups.get(keyOf(node)) ?? []), node]);
  const home = new Map<string, string>();
  const nodes = [...groups.values()].map((all) => {
    const first = all.reduce((a, b) => (b.focus || (!a.focus && b.at > a.at) ? b : a));
    for (const node of all) home.set(node.id, first.id);
    const count = all.reduce((sum, node) => sum + node.count, 0);
    const states: Record<string, number> = {};
    for (const node of all) {
      for (const [state, n] of Object.entries(node.states)) states[state] = (states[state] ?? 0) + n;
      if (node.shape === "node" && node.state && !Object.keys(node.states).length) states[node.state] = (states[node.state] ?? 0) + 1;
    }
    if (all.length === 1) return first;
    const label = lens === "overview" ? `${first.kind === "run" || first.type === "run" ? "runs" : first.kind} of ${first.namespace || "the project"}` : first.label;
    return { ...first, shape: lens === "overview" ? "group" : "node", label, names: lens === "overview" ? [] : first.names, count, states, members: all.flatMap((node) => (node.members.length ? node.members : [node.ref])).slice(0, 12), focus: all.some((node) => node.focus), origin_unknown: all.some((node) => node.origin_unknown) };
  });
  const edges = new Map<string, SceneEdge>();
  for (const edge of scene.edges) {
    const [src, dst] = [home.get(edge.src) as string, home.get(edge.dst) as string];
    if (src === dst) continue;
    const known = edges.get(`${src}\n${dst}`);
    edges.set(`${src}\n${dst}`, known ? { ...known, count: known.count + edge.count, roles: [...new Set([...known.roles, ...edge.roles])] } : { ...edge, src, dst, loop: false });
  }
  return { ...scene, ...relayer(nodes, [...edges.values()]), focus: scene.focus.map((id) => home.get(id) ?? id) };
}

function reach(edges: readonly SceneEdge[], start: string, forward: boolean): Set<string> {
  const beside = new Map<string, string[]>();
  for (const edge of edges) {
    const [a, b] = forward ? [edge.src, edge.dst] : [edge.dst, edge.src];
    beside.set(a, [...(beside.get(a) ?? []), b]);
  }
  const seen = new Set([start]);
  const queue = [start];
  for (const id of queue)
    for (const next of beside.get(id) ?? [])
      if (!seen.has(next)) {
        seen.add(next);
        queue.push(next);
      }
  return seen;
}

/** What to light up: the paths through a card, or those between two. Empty: nothing is chosen, all is lit. */
export function lit(edges: readonly SceneEdge[], chosen: string | undefined, other?: string): Set<string> {
  if (!chosen) return new Set();
  if (!other || other === chosen) return new Set([...reach(edges, chosen, true), ...reach(edges, chosen, false)]);
  const between = (a: string, b: string) => {
    const [ahead, back] = [reach(edges, a, true), reach(edges, b, false)];
    return [...ahead].filter((id) => back.has(id));
  };
  const found = new Set([...between(chosen, other), ...between(other, chosen)]);
  return found.size ? found : new Set([chosen, other]);
}

/** Cards whose name, reference or kind holds the text. */
export function search(nodes: readonly SceneNode[], text: string): SceneNode[] {
  const wanted = text.trim().toLowerCase();
  return wanted ? nodes.filter((node) => [node.label, node.ref, node.kind, ...node.names, ...node.aliases].some((word) => word.toLowerCase().includes(wanted))) : [];
}

/** The card next to one in a direction: along edges to the sides, by place up and down. */
export function step(scene: Pick<Scene, "nodes" | "edges">, at: Record<string, { x: number; y: number }>, from: string, way: "left" | "right" | "up" | "down"): string | undefined {
  const here = at[from];
  if (!here) return undefined;
  const near = (ids: string[]) => ids.filter((id) => at[id]).sort((a, b) => Math.abs((at[a]?.y ?? 0) - here.y) - Math.abs((at[b]?.y ?? 0) - here.y))[0];
  if (way === "left") return near(scene.edges.filter((edge) => edge.dst === from).map((edge) => edge.src));
  if (way === "right") return near(scene.edges.filter((edge) => edge.src === from).map((edge) => edge.dst));
  const layer = scene.nodes.find((node) => node.id === from)?.layer;
  const column = scene.nodes.filter((node) => node.layer === layer && at[node.id]).sort((a, b) => (at[a.id]?.y ?? 0) - (at[b.id]?.y ?? 0));
  const place = column.findIndex((node) => node.id === from);
  return column[place + (way === "down" ? 1 : -1)]?.id;
}

/** What changed between two scenes, by the ids of cards. */
export function changes(before: Pick<Scene, "nodes"> | undefined, now: Pick<Scene, "nodes">): { added: string[]; gone: string[] } {
  const [old, next] = [new Set(before?.nodes.map((node) => node.id)), new Set(now.nodes.map((node) => node.id))];
  return { added: before ? [...next].filter((id) => !old.has(id)) : [], gone: [...old].filter((id) => !next.has(id)) };
}

/** The graph in the language of Mermaid. Every text is quoted, so none of it can be read as syntax. */
export function mermaid(scene: Pick<Scene, "nodes" | "edges">): string {
  const number = new Map(scene.nodes.map((node, n) => [node.id, `n${n}`]));
  const quote = (text: string) => `"${text.replace(/[#"<>&`]/g, (sign) => `#${sign.charCodeAt(0)};`).replace(/[\r\n]+/g, " ").slice(0, 120)}"`;
  const lines = scene.nodes.map((node) => {
    const text = quote(`${title(node)} ${subtitle(node)}`.trim());
    return `  ${number.get(node.id)}${look(node) === "circle" ? `((${text}))` : node.shape === "node" ? `[${text}]` : `([${text}])`}`;
  });
  const arrows = scene.edges.map((edge) => `  ${number.get(edge.src)} ${edge.evidence === "inferred" || edge.also ? "-.->" : "-->"} ${number.get(edge.dst)}`);
  return ["flowchart LR", ...lines, ...arrows, ""].join("\n");
}
