// One frame of the canvas. What costs much is made once per scene: lines as two paths, colours once per theme.
import { halfway, key, type Layout, path } from "./layout";
import { type ColumnLine, ends } from "./columns";
import { kindsOf, type SignKind, SIGNS } from "./marks";
import type { Box } from "./layout";
import { boxOf, health, kindOf, look, MOST_ROWS, rowAt, type Scene, type SceneNode, subtitle, title } from "./scene";
import { count, t } from "../text";
import { plain } from "../kit/format";

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const WORDS = 0.42; // zoom from which on words can be read

export interface Line {
  id: string;
  path: Path2D;
  middle: [number, number];
  kinds: SignKind[];
}

/** The lines, and all of them in two paths: a stroke each would cost more than everything else together. */
export interface Strokes {
  lines: Line[];
  plain: Path2D;
  bright: Path2D;
  columns: Path2D;
  way: Path2D; // lines between columns on the way of the chosen one
}

export const unstroked = (): Strokes => ({ lines: [], plain: new Path2D(), bright: new Path2D(), columns: new Path2D(), way: new Path2D() });

export function strokesOf(scene: Scene, layout: Layout, lit: Set<string>, edge: string | undefined, between: { lines: ColumnLine[]; way: Set<string> }): Strokes {
  const { plain, bright, columns, way } = unstroked();
  if (between.lines.length) {
    const byId = new Map(scene.nodes.map((node) => [node.id, node]));
    for (const line of between.lines) {
      const points = ends(line, byId, layout.at, (node) => boxOf(node).w);
      if (points) (between.way.has(`${line.src}\n${line.from}`) && between.way.has(`${line.dst}\n${line.into}`) ? way : columns).addPath(new Path2D(path(points)));
    }
  }
  const lines = scene.edges.flatMap((one) => {
    const points = layout.routes[key(one.src, one.dst)];
    if (!points) return [];
    const id = key(one.src, one.dst);
    const line = { id, path: new Path2D(path(points)), middle: halfway(points), kinds: kindsOf(one.marks) };
    ((lit.size ? lit.has(one.src) && lit.has(one.dst) : one.way) || id === edge ? bright : plain).addPath(line.path);
    return [line];
  });
  return { lines, plain, bright, columns, way };
}

/** Where the count of what is hidden on one side of a card stands: its middle, and how wide it is. */
export function chip(node: SceneNode, spot: { x: number; y: number }, box: Box, side: "up" | "down"): { x: number; y: number; w: number } {
  const w = 12 + 6.5 * (count(node[side].count).length + (node[side].exact ? 1 : 2));
  const out = look(node) === "circle" ? 25 - box.w / 2 : 4;
  const y = spot.y + (look(node) === "circle" ? box.anchor : box.h / 2);
  return { x: side === "up" ? spot.x - out - w / 2 : spot.x + box.w + out + w / 2, y, w };
}

/** The column of a card that lies at a height, counted from the card's top. */
export const columnAt = (node: SceneNode, y: number): string | undefined => node.columns?.slice(0, MOST_ROWS).find((column) => Math.abs(rowAt(node, column) - y) < 9.5);

const KINDS = ["dataset", "features", "model", "run", "group", "deployment", "report", "other"];
const SIDES: Record<string, string> = { same: "--muted", changed: "--dot-warn", left: "--dot-bad", right: "--dot-good" };

export type Palette = ReturnType<typeof palette>;

/** The colours of the theme that is on. */
export function palette() {
  const named = (all: string[], prefix: string) => new Map(all.map((name) => [name, css(`--${prefix}-${name}`)]));
  return {
    line: css("--edge"), accent: css("--accent"), surface: css("--surface"), text: css("--text"), muted: css("--muted"), bg: css("--bg"), font: css("--font"), mono: css("--mono"),
    kinds: named(KINDS, "k"), dots: named(["good", "bad", "warn", "info"], "dot"), sides: new Map(Object.entries(SIDES).map(([side, name]) => [side, css(name)])),
    signs: { conflict: css("--dot-bad"), withdrawn: css("--soft"), stale: css("--dot-warn"), gap: css("--muted"), essential: css("--accent"), serves: css("--dot-good") } as Record<SignKind, string>,
  };
}

export interface Chosen {
  chosen?: string;
  pinned?: string;
  lit: Set<string>;
  found: Set<string>;
  fresh: Set<string>;
  way: Set<string>; // columns, as "card\ncolumn"
}

const signPaths = new Map<SignKind, Path2D>();

function sign(pen: CanvasRenderingContext2D, kind: SignKind, x: number, y: number, colours: Palette): void {
  if (!signPaths.has(kind)) signPaths.set(kind, new Path2D(SIGNS[kind]));
  pen.save();
  pen.translate(x - 6, y - 6);
  pen.beginPath();
  pen.arc(6, 6, 6.5, 0, Math.PI * 2);
  pen.fillStyle = colours.signs[kind];
  pen.fill();
  pen.strokeStyle = colours.bg;
  pen.lineWidth = 1.5;
  pen.stroke(signPaths.get(kind) as Path2D);
  pen.restore();
}

export function paint(pen: CanvasRenderingContext2D, at: { x: number; y: number; zoom: number }, size: { w: number; h: number; ratio: number }, scene: Scene, layout: Layout, strokes: Strokes, { chosen, pinned, lit, found, fresh, way }: Chosen, colours: Palette): void {
  const { x, y, zoom } = at;
  pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  pen.clearRect(0, 0, size.w, size.h);
  pen.translate(x, y);
  pen.scale(zoom, zoom);
  const [left, top, right, low] = [-x / zoom, -y / zoom, (size.w - x) / zoom, (size.h - y) / zoom];
  pen.lineWidth = Math.max(1, 0.7 / zoom);
  pen.globalAlpha = lit.size ? 0.35 : 0.8;
  pen.strokeStyle = colours.line;
  pen.stroke(strokes.plain);
  pen.globalAlpha = 1;
  pen.lineWidth = Math.max(1.8, 1.2 / zoom);
  pen.strokeStyle = colours.accent;
  pen.stroke(strokes.bright);
  pen.lineWidth = Math.max(1.2, 1 / zoom);
  pen.globalAlpha = way.size ? 0.4 : 0.8;
  pen.stroke(strokes.columns);
  pen.globalAlpha = 1;
  pen.lineWidth = Math.max(2, 1.4 / zoom);
  pen.stroke(strokes.way);
  const words = zoom > WORDS;
  if (words) for (const line of strokes.lines) line.kinds.forEach((kind, n) => sign(pen, kind, line.middle[0] + n * 15, line.middle[1], colours));
  for (const node of scene.nodes) {
    const spot = layout.at[node.id];
    const box = boxOf(node);
    if (!spot || spot.x > right || spot.x + box.w < left || spot.y > low || spot.y + box.h < top) continue;
    const hue = colours.sides.get(node.side) ?? colours.kinds.get(kindOf(node)) ?? colours.kinds.get("other") ?? colours.line;
    const circle = look(node) === "circle";
    pen.globalAlpha = lit.size && !lit.has(node.id) ? 0.45 : 1;
    pen.beginPath();
    if (circle) pen.arc(spot.x + box.w / 2, spot.y + box.anchor, 20, 0, Math.PI * 2);
    else pen.roundRect(spot.x, spot.y, box.w, box.h, 9);
    pen.fillStyle = words ? colours.surface : hue;
    pen.fill();
    const marked = node.id === chosen || node.focus || node.way || node.id === pinned || found.has(node.id) || fresh.has(node.id);
    pen.lineWidth = marked ? Math.max(3, 2 / zoom) : node.side ? 2 : 1.3;
    pen.strokeStyle = marked ? colours.accent : hue;
    if (node.origin_unknown) pen.setLineDash([5, 4]);
    pen.stroke();
    pen.setLineDash([]);
    const corner = circle ? spot.x + box.w / 2 + 15 : spot.x + box.w - 8;
    if (!words) continue;
    pen.textAlign = circle ? "center" : "left";
    pen.font = `600 12.5px ${colours.font}`;
    pen.fillStyle = colours.text;
    const [tx, ty] = circle ? [spot.x + box.w / 2, spot.y + 60] : [spot.x + 14, spot.y + (box.h < 50 ? 20 : 24)];
    pen.fillText(title(node).slice(0, 26), tx, ty, box.w - 20);
    pen.font = `11.5px ${colours.font}`;
    pen.fillStyle = colours.muted;
    pen.fillText(subtitle(node).slice(0, 30), tx, ty + 16, box.w - 20);
    pen.beginPath();
    pen.fillStyle = colours.dots.get(health(node).tone) ?? colours.muted;
    pen.arc(corner, spot.y + (circle ? 8 : 0), 4, 0, Math.PI * 2);
    pen.fill();
    kindsOf(node.marks).forEach((kind, n) => sign(pen, kind, circle ? corner - 30 - n * 15 : corner - 16 - n * 15, spot.y + (circle ? 8 : 0), colours));
    if (node.essential && !node.focus) sign(pen, "essential", circle ? corner : spot.x + 14, spot.y + (circle ? 42 : box.h), colours);
    if (node.columns) rows(pen, node, spot, box, way, colours);
    for (const side of ["up", "down"] as const) if (node[side].count) more(pen, node, chip(node, spot, box, side), side, colours);
  }
  pen.globalAlpha = 1;
}

/** The columns of a card that was opened to them. */
function rows(pen: CanvasRenderingContext2D, node: SceneNode, spot: { x: number; y: number }, box: Box, way: Set<string>, colours: Palette): void {
  const all = node.columns ?? [];
  pen.textAlign = "left";
  pen.fillStyle = colours.line;
  pen.fillRect(spot.x, spot.y + 56, box.w, 1);
  for (const column of all.slice(0, MOST_ROWS)) {
    const on = way.has(`${node.id}\n${column}`);
    pen.font = `${on ? 600 : 400} 11px ${colours.mono}`;
    pen.fillStyle = on ? colours.accent : colours.text;
    pen.fillText(plain(column).slice(0, 40), spot.x + 14, spot.y + rowAt(node, column) + 4, box.w - 24);
  }
  pen.font = `11px ${colours.font}`;
  pen.fillStyle = colours.muted;
  const rest = all.length > MOST_ROWS ? t.runs.more(all.length - MOST_ROWS) : all.length ? "" : t.lineage.nocolumns;
  if (rest) pen.fillText(rest, spot.x + 14, spot.y + box.h - 10, box.w - 24);
}

/** The count of what is hidden on one side of a card. */
function more(pen: CanvasRenderingContext2D, node: SceneNode, at: { x: number; y: number; w: number }, side: "up" | "down", colours: Palette): void {
  pen.beginPath();
  pen.roundRect(at.x - at.w / 2, at.y - 9, at.w, 18, 9);
  pen.fillStyle = colours.surface;
  pen.fill();
  pen.lineWidth = 1;
  pen.strokeStyle = colours.line;
  pen.stroke();
  pen.textAlign = "center";
  pen.font = `600 11px ${colours.font}`;
  pen.fillStyle = colours.accent;
  pen.fillText(`+${count(node[side].count)}${node[side].exact ? "" : "+"}`, at.x, at.y + 4);
}
