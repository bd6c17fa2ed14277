// Scatter and parallel coordinates over the runs that are loaded; drawn only when asked for.
import { useState } from "react";
import type { RunSummary } from "../api/client";
import { links } from "../app/route";
import { at, figure, numeric, plain } from "../kit/format";
import { Panel, runName } from "../kit/parts";
import { t } from "../text";
import type { Column } from "./columns";

const MOST = 1000;
const read = (run: RunSummary, one: Column): number => (one.scope === "metrics" ? numeric(at(run.metrics, one.key)) : one.scope === "params" ? (at(run.params, one.key)?.trim() ? Number(at(run.params, one.key)) : Number.NaN) : one.id === "started_at" ? run.started_at : Number.NaN);

function extent(values: number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return low === high ? [low - 1, high + 1] : [low, high];
}

export default function Plots({ runs, columns }: { runs: RunSummary[]; columns: Column[] }) {
  const some = runs.slice(0, MOST);
  const usable = columns.filter((one) => some.filter((run) => Number.isFinite(read(run, one))).length > 1);
  const metrics = usable.filter((one) => one.scope === "metrics");
  const [x, setX] = useState("");
  const [y, setY] = useState("");
  const xs = usable.find((one) => one.id === x) ?? usable.find((one) => one.scope === "params") ?? usable[0];
  const ys = usable.find((one) => one.id === y) ?? metrics[0] ?? usable[1];
  if (!xs || !ys) return <p className="note">{t.runs.noPlot}</p>;
  const choice = (label: string, now: Column, set: (id: string) => void) => (
    <label className="row"><span className="muted">{label}</span><select className="input" value={now.id} onChange={(event) => set(event.target.value)}>{usable.map((one) => <option key={one.id} value={one.id}>{one.id}</option>)}</select></label>
  );
  const lines = usable.filter((one) => one.scope !== "run").slice(0, 9);
  return (
    <div className="grid">
      <div className="s5"><Panel title={t.runs.scatter} aside={<>{choice(t.runs.axisX, xs, setX)}{choice(t.runs.axisY, ys, setY)}</>}><Scatter runs={some} x={xs} y={ys} /></Panel></div>
      <div className="s7"><Panel title={t.runs.parallel} aside={<span>{t.runs.colour(ys.id)}</span>}><Parallel runs={some} axes={lines} by={ys} /></Panel></div>
    </div>
  );
}

function Scatter({ runs, x, y }: { runs: RunSummary[]; x: Column; y: Column }) {
  const [w, h, left, low] = [460, 280, 52, 26];
  const points = runs.map((run) => ({ run, x: read(run, x), y: read(run, y) })).filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const [x0, x1] = extent(points.map((point) => point.x));
  const [y0, y1] = extent(points.map((point) => point.y));
  const px = (value: number) => left + ((value - x0) / (x1 - x0)) * (w - left - 12);
  const py = (value: number) => h - low - ((value - y0) / (y1 - y0)) * (h - low - 12);
  return (
    <svg viewBox={`0 0 ${w} ${h}`} width="100%" role="img" aria-label={`${x.id} / ${y.id}, ${points.length}`}>
      {[0, 0.5, 1].map((part) => (
        <g key={part} className="axis">
          <line x1={left} x2={w - 12} y1={py(y0 + (y1 - y0) * part)} y2={py(y0 + (y1 - y0) * part)} stroke="var(--line)" />
          <text x={left - 6} y={py(y0 + (y1 - y0) * part) + 4} textAnchor="end">{figure(y0 + (y1 - y0) * part)}</text>
          <text x={px(x0 + (x1 - x0) * part)} y={h - 8} textAnchor={part === 0 ? "start" : part === 1 ? "end" : "middle"}>{figure(x0 + (x1 - x0) * part)}</text>
        </g>
      ))}
      {points.map((point) => <a key={point.run.run_id} href={links.run(point.run.run_id)} tabIndex={-1}><circle cx={px(point.x)} cy={py(point.y)} r="4" fill="var(--accent)" fillOpacity="0.65"><title>{`${runName(point.run)}: ${figure(point.x)}, ${figure(point.y)}`}</title></circle></a>)}
    </svg>
  );
}

function Parallel({ runs, axes, by }: { runs: RunSummary[]; axes: Column[]; by: Column }) {
  const [w, h, pad] = [720, 280, 26];
  const ranges = axes.map((one) => extent(runs.map((run) => read(run, one))));
  const level = axes.map((one) => new Set(runs.map((run) => read(run, one)).filter(Number.isFinite)).size < 2); // all have the same
  const [low, high] = extent(runs.map((run) => read(run, by)));
  const gap = (w - 90) / Math.max(1, axes.length - 1);
  return (
    <div className="wideplot" tabIndex={0} role="region" aria-label={t.runs.parallel}>
    <svg viewBox={`0 0 ${w} ${h}`} width="100%" role="img" aria-label={axes.map((one) => one.id).join(", ")}>
      {runs.map((run) => {
        const points = axes.map((one, n) => {
          const value = read(run, one);
          const [a, b] = ranges[n] as [number, number];
          return Number.isFinite(value) ? `${45 + n * gap},${h - pad - ((value - a) / (b - a)) * (h - 2 * pad - 14)}` : undefined;
        });
        const share = (read(run, by) - low) / (high - low);
        return <polyline key={run.run_id} points={points.filter(Boolean).join(" ")} fill="none" stroke={`color-mix(in oklab, var(--c2) ${Math.round((1 - (Number.isFinite(share) ? share : 0)) * 100)}%, var(--c4))`} strokeOpacity="0.55" strokeWidth="1.3" />;
      })}
      {axes.map((one, n) => (
        <g key={one.id} className="axis">
          <line x1={45 + n * gap} x2={45 + n * gap} y1={pad + 14} y2={h - pad} stroke="var(--line-strong)" />
          <text x={45 + n * gap} y={16} textAnchor="middle">{plain(one.key).slice(0, 14)}</text>
          <text x={45 + n * gap} y={34} textAnchor="middle">{level[n] ? "" : figure(ranges[n]?.[1])}</text>
          <text x={45 + n * gap} y={h - 8} textAnchor="middle">{figure(level[n] ? ((ranges[n]?.[0] ?? 0) + (ranges[n]?.[1] ?? 0)) / 2 : ranges[n]?.[0])}</text>
        </g>
      ))}
    </svg>
    </div>
  );
}
