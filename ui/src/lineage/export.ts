// The picture as a file: drawing, picture, data, text.
import { isDark } from "../app/theme";
import { save } from "../kit/parts";
import { key, path } from "./layout";
import { boxOf, kindOf, look, mermaid, subtitle, title } from "./scene";
import type { Drawn } from "./uselayout";

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

export function svg({ scene, layout }: Drawn): string {
  const [pad, font] = [32, "Inter, system-ui, sans-serif"];
  const [w, h] = [layout.width + 2 * pad, layout.height + 2 * pad];
  const parts: string[] = [];
  for (const edge of scene.edges) {
    const points = layout.routes[key(edge.src, edge.dst)];
    if (points) parts.push(`<path d="${path(points)}" fill="none" stroke="${css("--edge")}" stroke-width="1.5"${edge.evidence === "inferred" || edge.also ? ' stroke-dasharray="5 4"' : ""}/>`);
  }
  for (const node of scene.nodes) {
    const spot = layout.at[node.id];
    if (!spot) continue;
    const box = boxOf(node);
    const hue = css(`--k-${kindOf(node)}`) || css("--k-other");
    const stroke = node.focus ? css("--accent") : hue;
    const circle = look(node) === "circle";
    parts.push(circle ? `<circle cx="${spot.x + box.w / 2}" cy="${spot.y + box.anchor}" r="20" fill="${css("--surface")}" stroke="${stroke}"/>` : `<rect x="${spot.x}" y="${spot.y}" width="${box.w}" height="${box.h}" rx="9" fill="${css("--surface")}" stroke="${stroke}"${node.focus ? ' stroke-width="2"' : ""}/>`);
    const [x, y, middle] = circle ? [spot.x + box.w / 2, spot.y + 60, ' text-anchor="middle"'] : [spot.x + 14, spot.y + 24, ""];
    parts.push(`<text x="${x}" y="${y}"${middle} font-size="12.5" font-weight="600" fill="${css("--text")}">${escape(title(node).slice(0, 28))}</text>`, `<text x="${x}" y="${y + 16}"${middle} font-size="11.5" fill="${css("--muted")}">${escape(subtitle(node).slice(0, 32))}</text>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="${-pad} ${-pad} ${w} ${h}" font-family="${font}" color-scheme="${isDark() ? "dark" : "light"}"><rect x="${-pad}" y="${-pad}" width="${w}" height="${h}" fill="${css("--bg")}"/>${parts.join("")}</svg>`;
}

async function png(drawn: Drawn): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg(drawn)], { type: "image/svg+xml" }));
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

export async function exported(kind: "svg" | "png" | "json" | "mermaid", drawn: Drawn, name: string): Promise<void> {
  const file = `lineage-${name.replace(/[^\w.@-]+/g, "_").slice(0, 80)}`;
  if (kind === "svg") save(`${file}.svg`, svg(drawn), "image/svg+xml");
  else if (kind === "png") save(`${file}.png`, await png(drawn));
  else if (kind === "json") save(`${file}.json`, `${JSON.stringify({ nodes: drawn.scene.nodes, edges: drawn.scene.edges }, null, 1)}\n`, "application/json");
  else save(`${file}.mmd`, mermaid(drawn.scene));
}
