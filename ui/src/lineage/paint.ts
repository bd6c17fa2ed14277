// One frame of the canvas. What costs much is made once per scene: lines as two paths, colours once per theme.
import { halfway, key, type Layout, path } from "./layout";
import { kindsOf, type MarkKind, SIGNS } from "./marks";
import { boxOf, health, kindOf, look, type Scene, subtitle, title } from "./scene";

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const WORDS = 0.42; // zoom from which on words can be read

export interface Line {
  id: string;
  path: Path2D;
  middle: [number, number];
  kinds: MarkKind[];
}

/** The lines, and all of them in two paths: a stroke each would cost more than everything else together. */
export interface Strokes {
  lines: Line[];
  plain: Path2D;
  bright: Path2D;
}

export function strokesOf(scene: Scene, layout: Layout, lit: Set<string>, edge: string | undefined): Strokes {
  const [plain, bright] = [new Path2D(), new Path2D()];
  const lines = scene.edges.flatMap((one) => {
    const points = layout.routes[key(one.src, one.dst)];
    if (!points) return [];
    const id = key(one.src, one.dst);
    const line = { id, path: new Path2D(path(points)), middle: halfway(points), kinds: kindsOf(one.marks) };
    ((lit.has(one.src) && lit.has(one.dst)) || id === edge ? bright : plain).addPath(line.path);
    return [line];
  });
  return { lines, plain, bright };
}

const KINDS = ["dataset", "features", "model", "run", "group", "deployment", "report", "other"];
const SIDES: Record<string, string> = { same: "--muted", changed: "--dot-warn", left: "--dot-bad", right: "--dot-good" };

export type Palette = ReturnType<typeof palette>;

/** The colours of the theme that is on. */
export function palette() {
  const named = (all: string[], prefix: string) => new Map(all.map((name) => [name, css(`--${prefix}-${name}`)]));
  return {
    line: css("--edge"), accent: css("--accent"), surface: css("--surface"), text: css("--text"), muted: css("--muted"), bg: css("--bg"), font: css("--font"),
    kinds: named(KINDS, "k"), dots: named(["good", "bad", "warn", "info"], "dot"), sides: new Map(Object.entries(SIDES).map(([side, name]) => [side, css(name)])),
    signs: { conflict: css("--dot-bad"), withdrawn: css("--soft"), stale: css("--dot-warn"), gap: css("--muted") } as Record<MarkKind, string>,
  };
}

export interface Chosen {
  chosen?: string;
  pinned?: string;
  lit: Set<string>;
  found: Set<string>;
}

const signPaths = new Map<MarkKind, Path2D>();

function sign(pen: CanvasRenderingContext2D, kind: MarkKind, x: number, y: number, colours: Palette): void {
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

export function paint(pen: CanvasRenderingContext2D, at: { x: number; y: number; zoom: number }, size: { w: number; h: number; ratio: number }, scene: Scene, layout: Layout, strokes: Strokes, { chosen, pinned, lit, found }: Chosen, colours: Palette): void {
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
    const marked = node.id === chosen || node.focus || node.id === pinned || found.has(node.id);
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
  }
  pen.globalAlpha = 1;
}
