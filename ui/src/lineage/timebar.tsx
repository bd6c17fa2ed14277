import { History } from "lucide-react";
import { useEffect, useState } from "react";
import { time, utc } from "../kit/format";
import { t } from "../text";
import { type Scene, title } from "./scene";

const BARS = 84;

/** The graph as of any moment: how much was recorded when, and a handle to go there. */
export function TimeBar({ scene, asOf, onChange }: { scene: Scene; asOf?: number; onChange: (at: number | undefined) => void }) {
  const times = scene.nodes.flatMap((node) => [node.at, node.last_at]).filter((at) => at > 0);
  const end = Date.now() * 1000;
  const begin = times.length ? Math.min(...times) : end - 864e8;
  const span = Math.max(60e6, end - begin);
  const first = begin - span * 0.02;
  const place = asOf === undefined ? 1 : Math.max(0, Math.min(1, (asOf - first) / (end - first)));
  const [at, setAt] = useState(place);
  useEffect(() => setAt(place), [place]);
  const bars = new Array<number>(BARS).fill(0);
  for (const one of times) {
    const n = Math.min(BARS - 1, Math.max(0, Math.floor(((one - first) / (end - first)) * BARS)));
    bars[n] = (bars[n] ?? 0) + 1;
  }
  const top = Math.max(1, ...bars);
  const moment = Math.round(first + (end - first) * at);
  const latest = scene.nodes.filter((node) => node.at <= moment).sort((a, b) => b.at - a.at)[0];
  const commit = (value: number) => onChange(value >= 0.999 ? undefined : Math.round(first + (end - first) * value));
  return (
    <div className="timebar card">
      <History size={16} aria-hidden="true" className="muted" />
      <div className="when"><b title={utc(moment)}>{at >= 0.999 ? t.lineage.nowLong : t.lineage.asofTitle(time(moment))}</b><span className="muted cut">{latest ? `${title(latest)} · ${time(latest.at)}` : t.lineage.nothing}</span></div>
      <div className="track">
        <div className="bars" aria-hidden="true">{bars.map((n, i) => <i key={i} className={n ? ((i + 0.5) / BARS > at ? "later" : "") : "zero"} style={{ height: `${Math.max(8, (n / top) * 100)}%` }} />)}</div>
        <input id="time" type="range" min="0" max="1" step="0.001" value={at} aria-label={t.lineage.asof} aria-valuetext={at >= 0.999 ? t.lineage.nowLong : time(moment)} onChange={(event) => setAt(Number(event.target.value))} onPointerUp={(event) => commit(Number(event.currentTarget.value))} onKeyUp={(event) => commit(Number(event.currentTarget.value))} />
      </div>
      <button type="button" className="button small" disabled={asOf === undefined} onClick={() => onChange(undefined)}>{t.lineage.now}</button>
    </div>
  );
}
