// Above some 300 cards: the same picture on a canvas. Words appear when there is room for them.
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { isDark, onTheme } from "../app/theme";
import type { ViewProps } from "./flow";
import { chip, columnAt, paint, palette, type Strokes, strokesOf, unstroked } from "./paint";
import { boxOf } from "./scene";

const MOST_ZOOM = 2;
const LEAST_ZOOM = 0.02;

export function CanvasView({ drawn, chosen, edge, pinned, lit, found, fresh, columns, view, onChoose, onEdge, acts, onView, controls }: ViewProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const at = useRef(view ?? { x: 0, y: 0, zoom: 1 });
  const frame = useRef(0);
  const dark = useSyncExternalStore(onTheme, isDark);
  const [size, setSize] = useState({ w: 0, h: 0 });
  const { scene, layout } = drawn;
  const strokes = useRef<Strokes>(unstroked());
  // biome-ignore lint: the colours are those of the theme.
  const colours = useMemo(palette, [dark]);

  const draw = useCallback(() => {
    const element = canvas.current;
    const pen = element?.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    if (element && pen) paint(pen, at.current, { w: element.width / ratio, h: element.height / ratio, ratio }, scene, layout, strokes.current, { chosen, pinned, lit, found, fresh, way: columns.way }, colours);
  }, [scene, layout, chosen, pinned, lit, found, fresh, columns, colours]);

  const soon = useCallback(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(draw);
  }, [draw]);

  useEffect(() => {
    strokes.current = strokesOf(scene, layout, lit, edge, columns);
    soon();
  }, [scene, layout, lit, edge, columns, soon]);

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
    for (const node of scene.nodes) {
      const spot = layout.at[node.id];
      if (!spot) continue;
      for (const side of ["up", "down"] as const) {
        const at = node[side].count ? chip(node, spot, boxOf(node), side) : undefined;
        if (at && Math.abs(wx - at.x) <= at.w / 2 && Math.abs(wy - at.y) <= 9) return acts.onOpen(node, side, more ? 3 : 1);
      }
    }
    const hit = scene.nodes.find((node) => {
      const spot = layout.at[node.id];
      const box = boxOf(node);
      return spot && wx >= spot.x && wx <= spot.x + box.w && wy >= spot.y && wy <= spot.y + box.h;
    });
    const column = hit && columnAt(hit, wy - (layout.at[hit.id]?.y ?? 0));
    if (hit && column !== undefined) return acts.onColumn(hit, column);
    if (hit) return onChoose(hit.id, more);
    const pen = canvas.current?.getContext("2d");
    if (pen) {
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.lineWidth = 12 / zoom;
      const line = strokes.current.lines.find((one) => pen.isPointInStroke(one.path, wx, wy));
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
