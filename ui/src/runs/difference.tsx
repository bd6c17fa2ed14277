// A run against another one: of the same job before it, or any that is named.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type RunDetail } from "../api/client";
import { change, links, quote, usePlace } from "../app/route";
import { Change } from "../models/change";
import { Empty, Loaded, runName } from "../kit/parts";
import { time } from "../kit/format";
import { t } from "../text";

const NEAR = 25;

export default function RunDifference({ run }: { run: RunDetail }) {
  const { query } = usePlace();
  const named = query.get("other") ?? "";
  const near = useQuery({ queryKey: ["runs", "near", run.job, run.started_at], queryFn: ({ signal }) => api.runs({ where: `job = ${quote(run.job)}`, limit: NEAR, order: "started_at desc" }, signal), staleTime: 10_000 });
  const others = (near.data?.runs ?? []).filter((one) => one.run_id !== run.run_id);
  const before = others.find((one) => one.started_at <= run.started_at) ?? others[0];
  const other = named || before?.run_id || "";
  const found = useQuery({ queryKey: ["diff", `run:${other}`, `run:${run.run_id}`], queryFn: ({ signal }) => api.diff(`run:${other}`, `run:${run.run_id}`, signal), enabled: other !== "", staleTime: 10_000 });
  const [typed, setTyped] = useState(named);
  useEffect(() => setTyped(named), [named]);
  return (
    <div className="stack" style={{ gap: 14 }}>
      <form className="row wrap" onSubmit={(event) => { event.preventDefault(); change({ other: typed.trim().replace(/^run:/, "") }); }}>
        <label className="row"><span className="muted">{t.difference.against}</span>
          <select className="input" value={others.some((one) => one.run_id === other) ? other : ""} onChange={(event) => change({ other: event.target.value })}>
            {others.some((one) => one.run_id === other) ? null : <option value="">{other.slice(0, 12) || t.difference.nobody}</option>}
            {others.map((one) => <option key={one.run_id} value={one.run_id}>{`${runName(one)} · ${time(one.started_at)} · ${one.state} · ${one.run_id.slice(0, 8)}`}</option>)}
          </select>
        </label>
        <input className="input mono" style={{ maxWidth: 240 }} placeholder={t.difference.id} aria-label={t.difference.id} value={typed} onChange={(event) => setTyped(event.target.value)} />
        <button className="button" type="submit" disabled={!typed.trim()}>{t.compare.go}</button>
        {other ? <a className="button plain" href={links.compare(`run:${other}`, `run:${run.run_id}`)}>{t.difference.whole}</a> : null}
      </form>
      {!other ? near.data ? <section className="card"><Empty title={t.difference.none}>{t.difference.noneHow}</Empty></section> : null : <Loaded of={found} lines={10} height={26}>{(data) => <><p className="muted">{t.difference.sides}</p><Change change={data.change} a={`run:${other}`} b={`run:${run.run_id}`} /></>}</Loaded>}
    </div>
  );
}
