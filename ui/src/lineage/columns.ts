// Columns of the cards that were opened to them, and the lines between columns. Pure functions only.
import type { Schemas } from "../api/client";
import { rowAt, type Scene, type SceneNode } from "./scene";

export interface ColumnLine {
  id: string;
  src: string; // ids of cards
  from: string; // columns; "" where the card is not opened to them
  dst: string;
  into: string;
  rule: string;
  how: string[];
}

type Reply = Schemas["ColumnsReply"];

/** Of each card its columns, those with lines first; a card of which none are known gets an empty list. */
export function withColumns(scene: Scene, known: readonly { id: string; reply?: Reply }[]): { scene: Scene; lines: ColumnLine[] } {
  const cardOf = new Map<string, SceneNode>(scene.nodes.filter((node) => node.ref).map((node) => [node.ref, node]));
  const opened = new Map<string, string[]>();
  const lines = new Map<string, ColumnLine>();
  for (const { id, reply } of known) {
    const names = opened.get(id) ?? [];
    const roots = new Set(reply?.roots);
    for (const node of reply?.nodes ?? []) if (roots.has(node.id) && !names.includes(node.column)) names.push(node.column);
    opened.set(id, names);
  }
  for (const { reply } of known) {
    const byId = new Map(reply?.nodes.map((node) => [node.id, node]));
    for (const edge of reply?.edges ?? []) {
      const [a, b] = [byId.get(edge.src), byId.get(edge.dst)];
      const [src, dst] = [a && cardOf.get(a.ref), b && cardOf.get(b.ref)];
      if (!a || !b || !src || !dst || src === dst) continue;
      const [from, into] = [opened.has(src.id) ? a.column : "", opened.has(dst.id) ? b.column : ""];
      const id = JSON.stringify([src.id, a.column, dst.id, b.column]);
      lines.set(id, { id, src: src.id, from, dst: dst.id, into, rule: edge.rule, how: edge.how });
    }
  }
  const led = new Set([...lines.values()].flatMap((line) => [`${line.src}\n${line.from}`, `${line.dst}\n${line.into}`]));
  const nodes = scene.nodes.map((node) => {
    const names = opened.get(node.id);
    return names ? { ...node, columns: [...names].sort((a, b) => Number(led.has(`${node.id}\n${b}`)) - Number(led.has(`${node.id}\n${a}`))) } : node;
  });
  return { scene: { ...scene, nodes }, lines: [...lines.values()] };
}

/** The columns on the ways through one of them: before it and behind it, as "card\ncolumn". */
export function way(lines: readonly ColumnLine[], card: string, column: string): Set<string> {
  const found = new Set([`${card}\n${column}`]);
  for (const forward of [true, false]) {
    const queue = [`${card}\n${column}`];
    for (const at of queue)
      for (const line of lines) {
        const [near, far] = forward ? [`${line.src}\n${line.from}`, `${line.dst}\n${line.into}`] : [`${line.dst}\n${line.into}`, `${line.src}\n${line.from}`];
        if (near === at && !queue.includes(far)) {
          queue.push(far);
          found.add(far);
        }
      }
  }
  return found;
}

/** From where to where a column's line runs: beside the row, or to the head of a card that is not opened. */
export function ends(line: ColumnLine, nodes: ReadonlyMap<string, SceneNode>, at: Record<string, { x: number; y: number }>, width: (node: SceneNode) => number): [number, number][] | undefined {
  const [src, dst] = [nodes.get(line.src), nodes.get(line.dst)];
  const [a, b] = [at[line.src], at[line.dst]];
  return src && dst && a && b ? [[a.x + width(src), a.y + rowAt(src, line.from)], [b.x, b.y + rowAt(dst, line.into)]] : undefined;
}
