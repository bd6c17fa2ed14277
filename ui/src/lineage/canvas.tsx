// Above some 300 cards: the same picture on a canvas. Words appear when there is room for them.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { isDark, onTheme } from "../app/theme";
import type { ViewProps } from "./flow";
import { key, path } from "./layout";
import { boxOf, health, kindOf, look, subtitle, title } from "./scene";

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const MOST_ZOOM = 2;
const LEAST_ZOOM = 0.02;

export function CanvasView({ drawn, chosen, edge, pinned, lit, found, view, onChoose, onEdge, onView, controls }: ViewProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const at = useRef(view ?? { x: 0, y: 0, zoom: 1 });
  const frame = useRef(0);
  const dark = useSyncExternalStore(onTheme, isDark);
  const [size, setSize] = useState({ w: 0, h: 0 });
  const { scene, layout } = drawn;
  const lines = useRef<{ id: string; path: Path2D; points: [number, number][]; on: boolean; off: boolean; soft: boolean }[]>([]);

  const draw = useCallback(() => {
    const element = canvas.current;
    const pen = element?.getContext("2d");
    if (!element || !pen) return;
    const { x, y, zoom } = at.current;
    const ratio = window.devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, element.width, element.height);
    pen.translate(x, y);
    pen.scale(zoom, zoom);
    const [left, top, right, low] = [-x / zoom, -y / zoom, (element.width / ratio - x) / zoom, (element.height / ratio - y) / zoom];
    const colours = { line: css("--edge"), accent: css("--accent"), surface: css("--surface"), text: css("--text"), muted: css("--muted") };
    // One path for all plain lines: a stroke each would cost more than everything else together.
    const plain = new Path2D();
    const bright = new Path2D();
    for (const line of lines.current) (line.on || line.id === edge ? bright : plain).addPath(line.path);
    pen.lineWidth = Math.max(1, 0.7 / zoom);
    pen.globalAlpha = lit.size ? 0.35 : 0.8;
    pen.strokeStyle = colours.line;
    pen.stroke(plain);
    pen.globalAlpha = 1;
    pen.lineWidth = Math.max(1.8, 1.2 / zoom);
    pen.strokeStyle = colours.accent;
    pen.stroke(bright);
    const words = zoom > 0.42;
    const hues = new Map<string, string>();
    for (const node of scene.nodes) {
      const spot = layout.at[node.id];
      const box = boxOf(node);
      if (!spot || spot.x > right || spot.x + box.w < left || spot.y > low || spot.y + box.h < top) continue;
      const kind = kindOf(node);
      if (!hues.has(kind)) hues.set(kind, css(`--k-${kind}`) || css("--k-other"));
      const hue = hues.get(kind) as string;
      pen.globalAlpha = lit.size && !lit.has(node.id) ? 0.45 : 1;
      const circle = look(node) === "circle";
      pen.beginPath();
      if (circle) pen.arc(spot.x + box.w / 2, spot.y + box.anchor, 20, 0, Math.PI * 2);
      else pen.roundRect(spot.x, spot.y, box.w, box.h, 9);
      pen.fillStyle = words ? colours.surface : hue;
      pen.fill();
      const marked = node.id === chosen || node.focus || node.id === pinned || found.has(node.id);
      pen.lineWidth = marked ? Math.max(3, 2 / zoom) : 1.3;
      pen.strokeStyle = marked ? colours.accent : hue;
      pen.stroke();
      if (!words) continue;
      pen.textAlign = circle ? "center" : "left";
      pen.font = `600 12.5px ${css("--font")}`;
      pen.fillStyle = colours.text;
      const [tx, ty] = circle ? [spot.x + box.w / 2, spot.y + 60] : [spot.x + 14, spot.y + 24];
      pen.fillText(title(node).slice(0, 26), tx, ty, box.w - 20);
      pen.font = `11.5px ${css("--font")}`;
      pen.fillStyle = colours.muted;
      pen.fillText(subtitle(node).slice(0, 30), tx, ty + 16, box.w - 20);
      pen.beginPath();
      pen.fillStyle = css(`--dot-${health(node).tone}`);
      pen.arc(circle ? spot.x + box.w / 2 + 15 : spot.x + box.w - 8, spot.y + 8, 4, 0, Math.PI * 2);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }, [scene, layout, chosen, edge, pinned, lit, found, dark]);

  const soon = useCallback(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(draw);
  }, [draw]);

  useEffect(() => {
    lines.current = scene.edges.flatMap((one) => {
      const points = layout.routes[key(one.src, one.dst)];
      const on = lit.has(one.src) && lit.has(one.dst);
      return points ? [{ id: key(one.src, one.dst), path: new Path2D(path(points)), points, on, off: lit.size > 0 && !on, soft: one.faint }] : [];
    });
    soon();
  }, [scene, layout, lit, soon]);

  const fit = useCallback(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    const zoom = Math.min(1, Math.max(LEAST_ZOOM, Math.min(element.clientWidth / (layout.width + 80), element.clientHeight / (layout.height + 80))));
    at.current = { zoom, x: (element.clientWidth - layout.width * zoom) / 2, y: (element.clientHeight - layout.height * zoom) / 2 };
    soon();
  }, [layout, soon]);

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    const watch = new ResizeObserver(() => setSize({ w: element.clientWidth, h: element.clientHeight }));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = window.devicePixelRatio || 1;
    element.width = size.w * ratio;
    element.height = size.h * ratio;
    soon();
  }, [size, soon]);
  // biome-ignore lint: fitted once per layout.
  useEffect(() => {
    if (!view) fit();
  }, [layout]);

  const zoomAt = useCallback(
    (factor: number, px: number, py: number) => {
      const { x, y, zoom } = at.current;
      const next = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, zoom * factor));
      at.current = { zoom: next, x: px - ((px - x) / zoom) * next, y: py - ((py - y) / zoom) * next };
      soon();
    },
    [soon],
  );

  useEffect(() => {
    controls({
      zoom: (factor) => zoomAt(factor, size.w / 2, size.h / 2),
      fit,
      show: (id) => {
        const spot = layout.at[id];
        if (!spot) return;
        const zoom = Math.max(0.7, at.current.zoom);
        at.current = { zoom, x: size.w / 2 - (spot.x + 90) * zoom, y: size.h / 2 - (spot.y + 28) * zoom };
        soon();
      },
    });
  }, [controls, fit, layout, size, soon, zoomAt]);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const edge = element.getBoundingClientRect();
      zoomAt(Math.exp(-event.deltaY * 0.0016), event.clientX - edge.left, event.clientY - edge.top);
    };
    const done = () => onView(at.current);
    element.addEventListener("wheel", turn, { passive: false });
    element.addEventListener("pointerup", done);
    return () => {
      element.removeEventListener("wheel", turn);
      element.removeEventListener("pointerup", done);
    };
  }, [zoomAt, onView]);

  const pick = (px: number, py: number, more: boolean) => {
    const { x, y, zoom } = at.current;
    const [wx, wy] = [(px - x) / zoom, (py - y) / zoom];
    const hit = scene.nodes.find((node) => {
      const spot = layout.at[node.id];
      const box = boxOf(node);
      return spot && wx >= spot.x && wx <= spot.x + box.w && wy >= spot.y && wy <= spot.y + box.h;
    });
    if (hit) return onChoose(hit.id, more);
    const pen = canvas.current?.getContext("2d");
    if (pen) {
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.lineWidth = 12 / zoom;
      const line = lines.current.find((one) => pen.isPointInStroke(one.path, wx, wy));
      if (line) return onEdge(line.id);
    }
    return onChoose(undefined);
  };
  const drag = useRef<{ x: number; y: number; moved: boolean }>(null);
  return (
    <canvas
      ref={canvas}
      className="lineage-canvas"
      style={{ width: size.w, height: size.h }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drag.current = { x: event.clientX, y: event.clientY, moved: false };
      }}
      onPointerMove={(event) => {
        const from = drag.current;
        if (!from) return;
        const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
        if (!from.moved && Math.hypot(dx, dy) < 4) return;
        at.current = { ...at.current, x: at.current.x + dx, y: at.current.y + dy };
        drag.current = { x: event.clientX, y: event.clientY, moved: true };
        soon();
      }}
      onPointerUp={(event) => {
        const edgeBox = event.currentTarget.getBoundingClientRect();
        if (drag.current && !drag.current.moved) pick(event.clientX - edgeBox.left, event.clientY - edgeBox.top, event.shiftKey);
        drag.current = null;
      }}
    />
  );
}
