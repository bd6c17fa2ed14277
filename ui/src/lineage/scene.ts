// The scene that the server answered, made into what is drawn. Pure functions only.
import type { Schemas } from "../api/client";
import { plain, runId } from "../kit/format";
import { t } from "../text";
import type { Box } from "./layout";

/** columns: those that are shown on the card. won: the member of a sweep that leads on, and to what. */
export type SceneNode = Schemas["SceneNode"] & { columns?: string[]; won?: string };
export type SceneEdge = Schemas["SceneEdge"];
export type Mark = NonNullable<Schemas["SceneNode"]["marks"]>[number];
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
  return isStep(node) ? "circle" : "card";
}

const SIZES: Record<Look, { w: number; h: number; anchor: number; inset: number }> = {
  card: { w: 180, h: 56, anchor: 28, inset: 0 },
  circle: { w: 88, h: 84, anchor: 24, inset: 22 },
  sweep: { w: 210, h: 96, anchor: 48, inset: 0 },
  pill: { w: 176, h: 52, anchor: 26, inset: 0 },
};
const ROW = 19; // a column on a card
export const MOST_ROWS = 12;

/** Where a column's line meets a card, from its top. */
export const rowAt = (node: SceneNode, column: string): number => {
  const place = node.columns?.indexOf(column) ?? -1;
  return place < 0 ? SIZES.card.anchor : SIZES.card.h + (Math.min(place, MOST_ROWS) + 0.5) * ROW;
};

export function boxOf(node: SceneNode): Box {
  const size = SIZES[look(node)];
  const rows = node.columns ? Math.max(1, Math.min(node.columns.length, MOST_ROWS + 1)) : 0;
  const won = node.shape === "group" && node.won ? 22 : 0;
  return { id: node.id, layer: node.layer, ...size, h: size.h + won + (rows ? rows * ROW + 8 : 0) };
}

const isStep = (node: SceneNode): boolean => (node.type === "run" || node.type === "job") && node.kind !== "deployment";
export const kindOf = (node: SceneNode): string => (node.shape === "group" ? "group" : node.shape === "chain" || node.shape === "cycle" ? "chain" : isStep(node) ? "run" : node.kind);
/** The kind by which a card is hidden or grouped: that of what stands in it. */
export const innerKind = (node: SceneNode): string => (isStep(node) ? "run" : node.kind);

export function title(node: SceneNode): string {
  if (node.shape === "chain" || node.shape === "cycle") return plain(node.label).split(" → ").map((step) => step.split("/").at(-1)).join(" → ");
  const name = node.names[0] ?? node.label;
  return ending(plain(node.names[0] && (node.type === "version" || node.type === "artifact") ? name.split("@").slice(0, -1).join("@") : name));
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
  if (node.shape === "chain") return t.lineage.steps(node.count);
  if (node.shape === "cycle") return t.lineage.cycle(node.count);
  if (node.shape === "group") return Object.entries(node.states).map(([state, count]) => `${count} ${state}`).join(", ") || `${node.count} alike`;
  if (node.type === "job") return Object.entries(node.states).map(([state, count]) => `${count} ${state}`).join(", ") || t.lineage.happenings(node.count);
  if (node.type === "artifact") return t.lineage.versionsOf(node.count, node.kind);
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
  if (node.type === "job") return node.states.running ? { tone: "info", word: "running" } : failed ? { tone: "warn", word: `${failed} failed` } : { tone: "good", word: "finished" };
  if (node.type === "artifact") return { tone: "good", word: "recorded" };
  if (node.type === "version" && node.shape === "node" && !["content", "native"].includes(node.level)) return { tone: "warn", word: "content not known" };
  return { tone: "good", word: node.type === "run" ? node.state || "finished" : "identified" };
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

/** The shortest way along edges from one card to another. */
export function shortest(edges: readonly SceneEdge[], from: string, to: string): string[] | undefined {
  const before = new Map<string, string>([[from, ""]]);
  const queue = [from];
  const out = new Map<string, string[]>();
  for (const edge of edges) out.set(edge.src, [...(out.get(edge.src) ?? []), edge.dst]);
  for (const id of queue) {
    if (id === to) {
      const way = [id];
      for (let at = before.get(id); at; at = before.get(at)) way.unshift(at);
      return way;
    }
    for (const next of out.get(id) ?? [])
      if (!before.has(next)) {
        before.set(next, id);
        queue.push(next);
      }
  }
  return undefined;
}

/** Cards whose name, reference or kind holds the text. */
export function search(nodes: readonly SceneNode[], text: string): SceneNode[] {
  const wanted = text.trim().toLowerCase();
  return wanted ? nodes.filter((node) => [node.label, node.ref, node.kind, node.commit, ...node.names, ...node.aliases].some((word) => word.toLowerCase().includes(wanted))) : [];
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
export function changes(before: Pick<Scene, "nodes" | "edges"> | undefined, now: Pick<Scene, "nodes" | "edges">): { added: string[]; gone: string[]; lines: number } {
  const [old, next] = [new Set(before?.nodes.map((node) => node.id)), new Set(now.nodes.map((node) => node.id))];
  const known = new Set(before?.edges.map((edge) => `${edge.src}\n${edge.dst}`));
  const lines = before ? now.edges.filter((edge) => !known.has(`${edge.src}\n${edge.dst}`)).length : 0;
  return { added: before ? [...next].filter((id) => !old.has(id)) : [], gone: [...old].filter((id) => !next.has(id)), lines };
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
