import { History } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { change } from "../app/route";
import { time, utc } from "../kit/format";
import { t } from "../text";
import { type Scene, title } from "./scene";

const BARS = 84;
export type Clock = "recorded" | "valid";

/** When what is drawn was recorded, or happened; and what the graph gained then. */
export function moments(scene: Scene, clock: Clock): { at: number; name: string }[] {
  const names = new Map(scene.nodes.map((node) => [node.id, title(node)]));
  const edges = scene.edges.map((edge) => ({ at: clock === "recorded" ? edge.recorded_at || edge.at : edge.at, name: names.get(edge.dst) ?? "" }));
  const told = (type: string) => !edges.length || (clock === "valid" ? type === "run" : type === "version" || type === "artifact");
  const cards = scene.nodes.filter((node) => told(node.type)).map((node) => ({ at: node.at, name: title(node) }));
  return [...edges, ...cards].filter((one) => one.at > 0).sort((a, b) => a.at - b.at);
}

/** The graph as of any moment: how much was recorded (or happened) when, and a handle to go there. */
export function TimeBar({ scene, clock, at: chosen, onChange }: { scene: Scene; clock: Clock; at?: number; onChange: (at: number | undefined) => void }) {
  const all = useMemo(() => moments(scene, clock), [scene, clock]);
  const end = useMemo(() => Math.max(Date.now() * 1000, all.at(-1)?.at ?? 0), [all]);
  const begin = all[0]?.at ?? end - 864e8;
  const span = Math.max(60e6, end - begin);
  const first = begin - span * 0.02;
  const place = chosen === undefined ? 1 : Math.max(0, Math.min(1, (chosen - first) / (end - first)));
  const [at, setAt] = useState(place);
  useEffect(() => setAt(place), [place]);
  const bars = new Array<number>(BARS).fill(0);
  for (const one of all) {
    const n = Math.min(BARS - 1, Math.max(0, Math.floor(((one.at - first) / (end - first)) * BARS)));
    bars[n] = (bars[n] ?? 0) + 1;
  }
  const top = Math.max(1, ...bars);
  const now = at >= 0.999;
  const moment = chosen !== undefined && Math.abs(at - place) < 1e-9 ? chosen : Math.round(first + (end - first) * at);
  const latest = all.findLast((one) => one.at <= moment);
  const commit = (value: number) => onChange(value >= 0.999 ? undefined : Math.round(first + (end - first) * value));
  /** To the next moment at which something changed. */
  const leap = (forward: boolean) => {
    const here = now ? Number.POSITIVE_INFINITY : moment;
    const next = forward ? all.find((one) => one.at > here) : all.findLast((one) => one.at < here && (!now || one !== all.at(-1) || all.length === 1));
    if (next) onChange(next.at);
    else if (forward) onChange(undefined);
  };
  return (
    <div className="timebar card">
      <History size={16} aria-hidden="true" className="muted" />
      <div className="when"><b title={utc(moment)}>{now ? t.lineage.nowLong : t.lineage.asofTitle(time(moment))}</b><span className="muted cut">{latest ? `${latest.name} · ${time(latest.at)}` : t.lineage.nothing}</span></div>
      <div className="track">
        <div className="bars" aria-hidden="true">{bars.map((n, i) => <i key={i} className={n ? ((i + 0.5) / BARS > at ? "later" : "") : "zero"} style={{ height: `${Math.max(8, (n / top) * 100)}%` }} />)}</div>
        <input id="time" type="range" min="0" max="1" step="0.001" value={at} aria-label={t.lineage.asof} aria-valuetext={now ? t.lineage.nowLong : time(moment)} onChange={(event) => setAt(Number(event.target.value))} onPointerUp={(event) => commit(Number(event.currentTarget.value))} onKeyUp={(event) => /^(Arrow|Page|Home|End)/.test(event.key) && commit(Number(event.currentTarget.value))} onKeyDown={(event) => { if (event.key === "," || event.key === ".") { event.preventDefault(); leap(event.key === "."); } }} />
        <div className="ends" aria-hidden="true"><span>{time(begin)}</span><span>{t.lineage.now}</span></div>
      </div>
      <div className="seg clock" role="group" aria-label={t.lineage.clock}>{(["recorded", "valid"] as const).map((one) => <button key={one} type="button" aria-pressed={clock === one} title={t.lineage.clockHow[one]} onClick={() => change({ clock: one === "valid" ? one : "", as_of: one === "recorded" ? chosen : undefined, valid_at: one === "valid" ? chosen : undefined })}>{t.lineage.clocks[one]}</button>)}</div>
      <button type="button" className="button small" disabled={chosen === undefined} onClick={() => onChange(undefined)}>{t.lineage.now}</button>
    </div>
  );
}
