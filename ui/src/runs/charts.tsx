// Charts of one run or of several laid over each other.
import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api } from "../api/client";
import { curvesOf } from "../app/ahead";
import { LIVE, pace } from "../app/live";
import { Chart, type Curve } from "../kit/chart";
import { numeric, plain } from "../kit/format";
import { Loaded } from "../kit/parts";
import { over } from "../kit/series";
import { count, t } from "../text";

const FIRST = 60;

export default function Charts({ runs, live, most = FIRST, bare, dashed }: { runs: { id: string; name: string }[]; live?: boolean; most?: number; bare?: boolean; dashed?: number[] }) {
  const ids = runs.map((run) => `run:${run.id}`);
  const found = useQuery({ ...curvesOf(ids), meta: live ? LIVE : undefined, refetchInterval: live ? () => pace(2000) : false, placeholderData: keepPreviousData });
  const [log, setLog] = useState(false);
  const [smoothing, setSmoothing] = useState(0);
  const [text, setText] = useState("");
  const [shown, setShown] = useState(most);
  const [axis, setAxis] = useState("step"); // step, time, or a metric behind "m:"
  const clock = axis === "time";
  const against = axis.startsWith("m:") ? axis.slice(2) : "";
  const charts = useMemo(() => {
    const names = new Map(runs.map((run) => [run.id, run.name]));
    const byKey = new Map<string, { run: string; curve: Curve }[]>();
    for (const one of found.data?.charts ?? []) {
      const list = byKey.get(one.key) ?? [];
      list.push({ run: one.run_id, curve: { label: runs.length > 1 ? `${names.get(one.run_id) ?? ""} ${one.run_id.slice(0, 6)}` : one.key, x: one.step, y: one.value.map(numeric) } });
      byKey.set(one.key, list);
    }
    return [...byKey].filter(([, list]) => list.some(({ curve }) => curve.x.length > 1));
  }, [found.data, runs]);
  const wanted = charts.filter(([key]) => key !== against && key.toLowerCase().includes(text.toLowerCase()));
  const timed = useQueries({
    queries: clock ? wanted.slice(0, Math.min(shown, 12)).flatMap(([key, list]) => list.map(({ run }) => ({ queryKey: ["metrics", run, key], queryFn: ({ signal }: { signal: AbortSignal }) => api.metrics({ run: `run:${run}`, key }, signal), staleTime: 30_000 }))) : [],
  });
  const times = new Map(timed.flatMap((one) => (one.data ? [[`${one.data.run_id} ${one.data.key}`, one.data] as const] : [])));
  const drawn = (key: string, list: { run: string; curve: Curve }[]): Curve[] =>
    list.map(({ run, curve }) => {
      const other = against ? charts.find(([name]) => name === against)?.[1].find((one) => one.run === run)?.curve : undefined;
      if (against) return other ? over(curve, other) : { ...curve, x: [], y: [] };
      const history = clock ? times.get(`${run} ${key}`) : undefined;
      return history?.at.length ? { label: curve.label, x: history.at.map((at) => at / 1e6), y: history.value.map(numeric) } : curve;
    });
  return (
    <Loaded of={found} lines={3} height={140}>
      {() => (
        <div className="stack" style={{ gap: 14 }}>
          {bare ? null : (
            <div className="row wrap" style={{ gap: 16 }}>
              <input className="input" style={{ maxWidth: 240 }} placeholder={t.run.findMetric} aria-label={t.run.findMetric} value={text} onChange={(event) => setText(event.target.value)} />
              <label className="row"><span className="muted">{t.run.smooth}</span><input type="range" min="0" max="0.98" step="0.02" value={smoothing} onChange={(event) => setSmoothing(Number(event.target.value))} /><span style={{ width: 32 }}>{smoothing.toFixed(2)}</span></label>
              <label className="check"><input type="checkbox" checked={log} onChange={(event) => setLog(event.target.checked)} />{t.run.log}</label>
              <label className="row"><span className="muted">{t.run.xaxis}</span>
                <select className="input" style={{ maxWidth: 200 }} value={axis} onChange={(event) => setAxis(event.target.value)}>
                  <option value="step">{t.run.steps}</option>
                  <option value="time">{t.run.wall}</option>
                  {charts.length > 1 ? <optgroup label={t.run.metrics}>{charts.slice(0, 200).map(([key]) => <option key={key} value={`m:${key}`}>{plain(key).slice(0, 60)}</option>)}</optgroup> : null}
                </select>
              </label>
            </div>
          )}
          {wanted.length ? (
            <div className="charts">
              {wanted.slice(0, shown).map(([key, list]) => <div key={key} className="card"><Chart title={key} curves={drawn(key, list)} log={log} smoothing={smoothing} dashed={dashed} legend={runs.length > 1} time={clock && list.every(({ run }) => times.has(`${run} ${key}`))} /></div>)}
            </div>
          ) : <p className="muted">{charts.length ? t.runs.empty : t.run.noenough}</p>}
          {!bare && wanted.length > shown ? <div><button type="button" className="button" onClick={() => setShown(shown + FIRST)}>{t.run.more(wanted.length - shown)} ({count(wanted.length)})</button></div> : null}
        </div>
      )}
    </Loaded>
  );
}
