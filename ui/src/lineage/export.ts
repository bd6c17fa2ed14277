// The picture as a file: drawing, picture, data, text.
import { isDark } from "../app/theme";
import { save } from "../kit/parts";
import { type ColumnLine, ends } from "./columns";
import { halfway, key, path } from "./layout";
import { kindsOf, type SignKind, SIGNS } from "./marks";
import { boxOf, kindOf, look, mermaid, MOST_ROWS, subtitle, title } from "./scene";
import type { Drawn } from "./uselayout";

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const SIDES: Record<string, string> = { same: "--muted", changed: "--dot-warn", left: "--dot-bad", right: "--dot-good" };
const HUES: Record<SignKind, string> = { conflict: "--dot-bad", withdrawn: "--soft", stale: "--dot-warn", gap: "--muted", essential: "--accent", serves: "--dot-good" };
/** What a character of XML may not be is left out. */
// biome-ignore lint: these are the characters meant.
const legal = (text: string): string => escape(text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, ""));

function signs(kinds: SignKind[], x: number, y: number): string {
  return kinds.map((kind, n) => `<g class="sign" transform="translate(${x + n * 15 - 6},${y - 6})"><title>${kind}</title><circle cx="6" cy="6" r="6.5" fill="${css(HUES[kind])}"/><path d="${SIGNS[kind]}" fill="none" stroke="${css("--surface")}" stroke-width="1.5" stroke-linecap="round"/></g>`).join("");
}

/** The graph as a drawing: a `g` of class `card` for each card and a `path` of class `edge` for each line. */
export function svg({ scene, layout }: Drawn, lines: readonly ColumnLine[] = []): string {
  const [pad, font] = [32, "Inter, system-ui, sans-serif"];
  const [w, h] = [layout.width + 2 * pad, layout.height + 2 * pad];
  const parts: string[] = [];
  for (const edge of scene.edges) {
    const points = layout.routes[key(edge.src, edge.dst)];
    if (!points) continue;
    const [x, y] = halfway(points);
    parts.push(`<path class="edge" d="${path(points)}" fill="none" stroke="${css(edge.way ? "--accent" : "--edge")}" stroke-width="${edge.way ? 2.2 : 1.5}"${edge.evidence === "inferred" || edge.also ? ' stroke-dasharray="5 4"' : ""}/>`, signs(kindsOf(edge.marks), x, y));
  }
  const byId = new Map(scene.nodes.map((node) => [node.id, node]));
  for (const line of lines) {
    const points = ends(line, byId, layout.at, (node) => boxOf(node).w);
    if (points) parts.push(`<path class="column" d="${path(points)}" fill="none" stroke="${css("--accent")}" stroke-width="1.2"/>`);
  }
  for (const node of scene.nodes) {
    const spot = layout.at[node.id];
    if (!spot) continue;
    const box = boxOf(node);
    const hue = css(SIDES[node.side] ?? `--k-${kindOf(node)}`) || css("--k-other");
    const stroke = node.focus ? css("--accent") : hue;
    const circle = look(node) === "circle";
    const wide = node.focus || node.side ? ' stroke-width="2"' : "";
    const dashed = node.origin_unknown ? ' stroke-dasharray="5 4"' : "";
    const [x, y, middle] = circle ? [spot.x + box.w / 2, spot.y + 60, ' text-anchor="middle"'] : [spot.x + 14, spot.y + (box.h < 50 ? 20 : 24), ""];
    parts.push(
      `<g class="card">`,
      circle ? `<circle cx="${spot.x + box.w / 2}" cy="${spot.y + box.anchor}" r="20" fill="${css("--surface")}" stroke="${stroke}"${wide}${dashed}/>` : `<rect x="${spot.x}" y="${spot.y}" width="${box.w}" height="${box.h}" rx="9" fill="${css("--surface")}" stroke="${stroke}"${wide}${dashed}/>`,
      `<text x="${x}" y="${y}"${middle} font-size="12.5" font-weight="600" fill="${css("--text")}">${legal(short(title(node), circle ? 16 : 24))}</text>`,
      `<text x="${x}" y="${y + 16}"${middle} font-size="11.5" fill="${css("--muted")}">${legal(short(subtitle(node), circle ? 18 : 28))}</text>`,
      ...(node.columns ?? []).slice(0, MOST_ROWS).map((column, n) => `<text x="${spot.x + 14}" y="${spot.y + 69 + n * 19}" font-size="11" font-family="monospace" fill="${css("--soft")}">${legal(short(column, 22))}</text>`),
      signs(kindsOf(node.marks), circle ? spot.x + box.w / 2 - 16 : spot.x + box.w - 24 - 15 * (kindsOf(node.marks).length - 1), spot.y + (circle ? 8 : 0)),
      node.essential && !node.focus ? signs(["essential"], circle ? spot.x + box.w / 2 + 15 : spot.x + 14, spot.y + (circle ? 42 : box.h)) : "",
      "</g>",
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="${-pad} ${-pad} ${w} ${h}" font-family="${font}" color-scheme="${isDark() ? "dark" : "light"}"><rect x="${-pad}" y="${-pad}" width="${w}" height="${h}" fill="${css("--bg")}"/>${parts.join("")}</svg>`;
}

const short = (text: string, most: number): string => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

async function png(drawn: Drawn, lines: readonly ColumnLine[]): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg(drawn, lines)], { type: "image/svg+xml" }));
  try {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const scale = Math.min(2, 16_000 / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = picture.width * scale;
    canvas.height = picture.height * scale;
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

export async function exported(kind: "svg" | "png" | "json" | "mermaid", drawn: Drawn, name: string, lines: readonly ColumnLine[]): Promise<void> {
  const file = `lineage-${name.replace(/[^\w.@-]+/g, "_").slice(0, 80)}`;
  if (kind === "svg") save(`${file}.svg`, svg(drawn, lines), "image/svg+xml");
  else if (kind === "png") save(`${file}.png`, await png(drawn, lines));
  else if (kind === "json") save(`${file}.json`, `${JSON.stringify({ nodes: drawn.scene.nodes, edges: drawn.scene.edges, columns: lines }, null, 1)}\n`, "application/json");
  else save(`${file}.mmd`, mermaid(drawn.scene));
}
