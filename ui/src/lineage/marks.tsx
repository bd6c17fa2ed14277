// What deserves a second look, as a sign with a shape of its own: on cards, on lines, on the canvas and in exported drawings.
import { t } from "../text";
import type { Mark, Scene, SceneNode } from "./scene";

export type MarkKind = "conflict" | "withdrawn" | "stale" | "gap";
export const MARKS: readonly MarkKind[] = ["conflict", "withdrawn", "stale", "gap"];
/** What a card is for others: everything that the focus was made from came through it, or something that runs live was made from it. */
export type Trait = "essential" | "serves";
export const TRAITS: readonly Trait[] = ["essential", "serves"];
export type SignKind = MarkKind | Trait;

/** The strokes of each sign, in a circle of radius 6 around (6, 6). */
export const SIGNS: Record<SignKind, string> = {
  conflict: "M6 2.8v3.6M6 8.9v.3",
  withdrawn: "M3.9 3.9l4.2 4.2M8.1 3.9L3.9 8.1",
  stale: "M6 2.9V6.2l2.1 1.5",
  gap: "M4.4 4.7a1.65 1.65 0 1 1 2.5 1.45c-.6.35-.9.6-.9 1.05M6 9v.2",
  essential: "M2.9 3.4L5.6 6L2.9 8.6M5.6 6h3.6",
  serves: "M6 9.1V3.2M3.6 5.5L6 3.1L8.4 5.5",
};

/** The kinds of marks among some, the gravest first. */
export const kindsOf = (marks: readonly Mark[] | undefined): MarkKind[] => MARKS.filter((kind) => marks?.some((mark) => mark.kind === kind));

export function Sign({ kind, size = 15 }: { kind: SignKind; size?: number }) {
  return (
    <svg className={`sign sign-${kind}`} viewBox="-1 -1 14 14" width={size} height={size} aria-hidden="true">
      <circle cx="6" cy="6" r="6" />
      <path d={SIGNS[kind]} />
    </svg>
  );
}

/** The signs of a card; what they say is in their title, and in the words that a screen reader gets. */
export function Signs({ marks }: { marks: readonly Mark[] | undefined }) {
  const kinds = kindsOf(marks);
  if (!kinds.length) return null;
  return <span className="signs">{kinds.map((kind) => <span key={kind} title={(marks ?? []).filter((mark) => mark.kind === kind).map((mark) => mark.said).join("\n")}><Sign kind={kind} /></span>)}</span>;
}

/** The cards of which something holds for what lies around them. The focus is no news. */
export const having = (scene: Pick<Scene, "nodes">, trait: Trait): string[] => scene.nodes.filter((node) => node[trait] && !node.focus).map((node) => node.id);

/** How many cards carry which mark. */
export function counted(scene: Pick<Scene, "nodes">): { kind: MarkKind; ids: string[] }[] {
  return MARKS.map((kind) => ({ kind, ids: scene.nodes.filter((node) => node.marks.some((mark) => mark.kind === kind)).map((node) => node.id) })).filter((one) => one.ids.length);
}

/** The names of marks, for those who hear the page. */
export const spokenMarks = (marks: readonly Mark[] | undefined): string[] => kindsOf(marks).map((kind) => t.lineage.marks[kind]);
/** What a card is for others, in words. */
export const spokenTraits = (node: SceneNode): string[] => [...TRAITS.filter((trait) => node[trait] && !node.focus).map((trait) => t.lineage.traits[trait]), node.way ? t.lineage.onWay : ""].filter(Boolean);
