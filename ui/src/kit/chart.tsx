import "uplot/dist/uPlot.min.css";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import uPlot from "uplot";
import { isDark, onTheme } from "../app/theme";
import { t } from "../text";
import { figure, plain } from "./format";
import { align, type Curve, smooth } from "./series";

export type { Curve } from "./series";
// Colours and fonts of the theme, read once for all charts: each reading makes the browser lay the page out.
const read = new Map<string, string>();
onTheme(() => read.clear());
const css = (name: string): string => {
  const known = read.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  read.set(name, known);
  return known;
};
export const colour = (n: number): string => `var(--c${(n % 8) + 1})`;

/** So few numbers that no line may lead from one to another: they are drawn as points. */
const lonely = (values: readonly number[]): boolean => values.length < 3 || values.filter((value) => Number.isFinite(value)).length < 3;

const waiting = new Set<() => void>();
const SLICE = 12; // ms of drawing before the browser gets its turn

function work(): void {
  const end = performance.now() + SLICE;
  for (const task of waiting) {
    waiting.delete(task);
    task();
    if (performance.now() > end) break;
  }
  if (waiting.size) window.setTimeout(work);
}

/** Draw at once what is in sight, all else when there is time, in the order of the page. Gives back what calls it off. */
function queued(element: Element, task: () => void): () => void {
  const { top, bottom } = element.getBoundingClientRect();
  if (bottom > 0 && top < window.innerHeight) {
    task();
    return () => undefined;
  }
  if (!waiting.size) window.setTimeout(work);
  waiting.add(task);
  return () => waiting.delete(task);
}

export interface ChartProps {
  title?: string;
  curves: Curve[];
  height?: number;
  log?: boolean;
  smoothing?: number;
  dashed?: number[];
  time?: boolean;
  legend?: boolean;
  names?: (label: string) => string;
}

/** Curves over one axis. Drag to zoom, double-click to see all again; a table of the last values stands in for it where nothing is seen. */
export function Chart({ title, curves, height = 190, log = false, smoothing = 0, dashed = [], time = false, legend = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const dark = useSyncExternalStore(onTheme, isDark);
  const [hover, setHover] = useState<number | null>(null);
  const data = useMemo(() => {
    const drawn = curves.map((curve) => ({ ...curve, y: smooth(curve.y, smoothing) }));
    const { x, ys } = align(drawn);
    return [x, ...(log ? ys.map((row) => row.map((y) => (typeof y === "number" && y <= 0 ? null : y))) : ys)] as uPlot.AlignedData;
  }, [curves, smoothing, log]);
  const latest = useRef(data);
  latest.current = data;
  const shape = `${curves.map((curve) => curve.label).join("\n")}|${log}|${time}|${dark}|${dashed.join()}|${height}`;
  // biome-ignore lint: the plot is made anew only when its shape changes; data follows below.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const axis = { stroke: css("--muted"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: `11px ${css("--font")}` };
    const make = (width: number) => new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { drag: { x: true, y: false, uni: 20 }, points: { size: 6 }, y: false },
        padding: [8, 8, 0, 0],
        scales: { x: { time }, y: { distr: log ? 3 : 1 } },
        axes: [
          { ...axis, grid: { show: false }, size: 26, space: 60, ...(time ? {} : { values: (_: uPlot, all: number[]) => all.map((value) => figure(value)) }) },
          { ...axis, size: 48, space: 34, values: (_, all) => all.map((value) => (value === null ? "" : figure(value))) },
        ],
        series: [
          {},
          ...curves.map((curve, n) => ({
            label: curve.label,
            stroke: css(`--c${(n % 8) + 1}`),
            width: dashed.includes(n) ? 1.3 : 1.8,
            spanGaps: false,
            points: { show: lonely(curve.y) },
            ...(dashed.includes(n) ? { dash: [5, 4] } : {}),
          })),
        ],
        hooks: { setCursor: [(u: uPlot) => setHover(u.cursor.idx ?? null)] },
      },
      latest.current,
      element,
    );
    // The observer tells the width after the browser has laid out all charts at once; asking each for it would do that for each.
    let [width, wait] = [0, (): void => undefined];
    const watch = new ResizeObserver(([seen]) => {
      const first = width === 0;
      width = Math.max(120, Math.round(seen?.contentRect.width ?? 0));
      if (plot.current) plot.current.setSize({ width, height });
      else if (first) wait = queued(element, () => { plot.current = make(width); });
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      wait();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    const made = plot.current;
    if (!made || made.data === data) return;
    const zoomed = made.scales.x?.min !== made.data[0]?.[0] || made.scales.x?.max !== made.data[0]?.at(-1);
    made.setData(data, !zoomed);
    if (zoomed) made.redraw();
  }, [data]);
  const at = hover === null ? null : hover;
  const last = (n: number) => {
    const row = data[n + 1] as (number | null | undefined)[];
    if (at !== null && row[at] !== undefined) return row[at];
    for (let i = row.length - 1; i >= 0; i -= 1) if (row[i] !== undefined) return row[i];
    return undefined;
  };
  return (
    <figure>
      {title ? (
        <figcaption className="row spread" style={{ fontSize: 13, marginBottom: 2 }}>
          <span className="mono cut" title={plain(title)}><bdi>{plain(title)}</bdi></span>
          {curves.length === 1 ? <span className="muted nowrap">{at !== null ? `${t.run.steps} ${figure(data[0][at] as number)}: ` : ""}{figure(last(0) ?? "NaN")}</span> : null}
        </figcaption>
      ) : null}
      <div ref={box} style={{ height }} role="img" aria-label={`${title ?? ""} ${curves.map((curve, n) => `${plain(curve.label)}: ${figure(last(n) ?? "NaN")}`).join("; ").slice(0, 500)}`} title={t.run.zoom} />
      {legend ? (
        <ul className="row wrap" style={{ gap: "4px 16px", fontSize: 12.5, marginTop: 6 }}>
          {curves.map((curve, n) => (
            <li key={curve.label} className="row" style={{ gap: 6 }}>
              <svg width="14" height="8" aria-hidden="true"><line x1="0" x2="14" y1="4" y2="4" stroke={colour(n)} strokeWidth="2.4" strokeDasharray={dashed.includes(n) ? "4 3" : undefined} /></svg>
              <bdi className="cut" style={{ maxWidth: 220 }}>{plain(curve.label)}</bdi> <span className="muted">{figure(last(n) ?? "NaN")}</span>
            </li>
          ))}
        </ul>
      ) : null}
    </figure>
  );
}
