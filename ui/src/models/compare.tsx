import { useQueries, useQuery } from "@tanstack/react-query";
import { ArrowLeftRight } from "lucide-react";
import { Suspense, useEffect, useState } from "react";
import { api, type RunSummary, type Schemas } from "../api/client";
import { Head } from "../app/head";
import { change, go, linkOf, links, to, usePlace } from "../app/route";
import { at, figure } from "../kit/format";
import { later } from "../kit/later";
import { Empty, Loaded, Panel, Plain, runName, Skeleton, State, Time, took } from "../kit/parts";
import { t } from "../text";
import { Change, InputLine } from "./change";

const Charts = later(async () => (await import("../runs/charts")).default);

export function Compare() {
  const { query } = usePlace();
  const runs = (query.get("runs") ?? "").split(",").filter((id) => /^[0-9a-f]{4,32}$/.test(id)).slice(0, 20);
  const [a, b] = [query.get("a") ?? "", query.get("b") ?? ""];
  return (
    <div className="page">
      <Head crumbs={[{ label: t.compare.title }, ...(a && b ? [{ label: `${a.slice(0, 16)} · ${b.slice(0, 16)}` }] : [])]} actions={a && b ? <a className="button hide-small" href={links.lineage(a, { compare: b })}>{t.compare.lineage}</a> : null} />
      {runs.length ? <Many ids={runs} /> : (
        <>
          <div className="page-head"><div className="stack"><h1>{t.compare.title}</h1><p className="muted">{t.compare.lead}</p></div></div>
          <Choice a={a} b={b} />
          {a && b ? <Two a={a} b={b} /> : <section className="card"><Empty title={t.compare.emptyTitle}>{t.compare.emptyHow}</Empty></section>}
        </>
      )}
    </div>
  );
}

function Choice({ a, b }: { a: string; b: string }) {
  const [left, setLeft] = useState(a);
  const [right, setRight] = useState(b);
  useEffect(() => {
    setLeft(a);
    setRight(b);
  }, [a, b]);
  return (
    <form className="row wrap" onSubmit={(event) => { event.preventDefault(); go(links.compare(left.trim(), right.trim())); }}>
      <input className="input mono" style={{ flex: "1 1 200px" }} aria-label={t.compare.a} placeholder={t.compare.placeholder} required value={left} onChange={(event) => setLeft(event.target.value)} />
      <button type="button" className="button icon" aria-label={t.compare.swap} onClick={() => (a && b ? go(links.compare(b, a)) : (setLeft(right), setRight(left)))}><ArrowLeftRight size={15} aria-hidden="true" /></button>
      <input className="input mono" style={{ flex: "1 1 200px" }} aria-label={t.compare.b} placeholder={t.compare.placeholder} required value={right} onChange={(event) => setRight(event.target.value)} />
      <button type="submit" className="button primary">{t.compare.go}</button>
    </form>
  );
}

function Two({ a, b }: { a: string; b: string }) {
  const found = useQuery({ queryKey: ["diff", a, b], queryFn: ({ signal }) => api.diff(a, b, signal), staleTime: 30_000 });
  return <Loaded of={found} lines={10} height={26}>{(data) => <Difference data={data} />}</Loaded>;
}

function Difference({ data }: { data: Schemas["DiffReply"] }) {
  const runs = [data.a, data.b].flatMap((side, n) => (side.run ? [{ id: side.run.replace("run:", ""), name: n ? t.compare.b : t.compare.a }] : []));
  return (
    <>
      {data.identical ? <p className="note good">{t.compare.identical}</p> : null}
      <div className="grid">
        {[data.a, data.b].map((side, n) => (
          <div key={n} className="s6"><div className="card" style={{ padding: "12px 16px" }}><div className="muted">{n ? t.compare.b : t.compare.a}</div><div className="row spread"><strong style={{ flex: "none", maxWidth: "60%" }}><a href={linkOf(side.label, side.run === side.label ? "" : "model")}><Plain>{side.label}</Plain></a></strong>{side.run ? <a className="mono cut" href={links.run(side.run)}><Plain>{side.job}</Plain> {side.run.slice(4, 12)}</a> : null}</div></div></div>
        ))}
      </div>
      {data.content ? <Panel title={t.compare.content}><InputLine one={data.content} /></Panel> : null}
      <Change change={data.change} a={data.a.run} b={data.b.run} />
      {runs.length === 2 && runs[0]?.id !== runs[1]?.id ? <Panel title={t.compare.curves}><Suspense fallback={<Skeleton lines={2} height={120} />}><Charts runs={runs} bare dashed={[0]} most={12} /></Suspense></Panel> : null}
      <Panel title={t.compare.upstream} aside={t.compare.upSame(data.upstream_same)}>
        {data.upstream.length ? (
          <div className="stack">
            {data.upstream.map((one, n) => (
              <details key={`${one.job} ${n}`} className="card" style={{ padding: "10px 14px", boxShadow: "none" }}>
                <summary className="row spread wrap"><strong><Plain>{one.job}</Plain></strong><span className="muted">{one.change ? t.models.differences(one.change.params.length + one.change.inputs.length + one.change.code.length + one.change.environment.length) : t.compare.only(one.a ? t.compare.a : t.compare.b)}</span></summary>
                <div className="stack" style={{ paddingTop: 12 }}>
                  <div className="row wrap">{[one.a, one.b].filter(Boolean).map((ref) => <a key={ref} className="mono" href={links.run(ref)}>{ref.slice(0, 16)}</a>)}</div>
                  {one.change ? <Change change={one.change} a={one.a} b={one.b} brief /> : null}
                </div>
              </details>
            ))}
          </div>
        ) : <p className="muted">{t.compare.nothing}</p>}
      </Panel>
    </>
  );
}

/** Several runs side by side. */
function Many({ ids }: { ids: string[] }) {
  const { query } = usePlace();
  const only = query.get("all") !== "1";
  const answers = useQueries({ queries: ids.map((id) => ({ queryKey: ["show", `run:${id}`], queryFn: ({ signal }: { signal: AbortSignal }) => api.show(`run:${id}`, signal), staleTime: 5000 })) });
  const runs = answers.flatMap((answer) => (answer.data?.type === "run" ? [answer.data.summary] : []));
  const failed = answers.find((answer) => answer.error);
  const rows = (["metrics", "params"] as const).map((scope) => ({ scope, keys: [...new Set(runs.flatMap((run) => Object.keys(run[scope])))].sort().filter((key) => !only || new Set(runs.map((run) => String(at<unknown>(run[scope], key)))).size > 1) }));
  return (
    <>
      <div className="page-head"><h1>{t.compare.title}: {runs.length}</h1><label className="check"><input type="checkbox" checked={only} onChange={(event) => change({ all: !event.target.checked })} />{t.runs.differ}</label></div>
      {failed && runs.length < ids.length ? <p className="note warn"><Plain>{String((failed.error as Error).message)}</Plain></p> : null}
      {runs.length ? <Suspense fallback={<Skeleton lines={3} height={120} />}><Charts runs={runs.map((run) => ({ id: run.run_id, name: runName(run) }))} live={runs.some((run) => run.state === "running")} /></Suspense> : <Skeleton lines={8} />}
      <section className="card flush"><div className="tablewrap" tabIndex={0} role="region" aria-label={t.compare.title}>
        <table className="list">
          <thead><tr><th>{t.run.name}</th>{runs.map((run) => <th key={run.run_id}><a href={links.run(run.run_id)}>{runName(run)}</a> <span className="mono muted">{run.run_id.slice(0, 6)}</span></th>)}</tr></thead>
          <tbody>
            <tr><td className="muted">{t.runs.state}</td>{runs.map((run) => <td key={run.run_id}><State state={run.state} /></td>)}</tr>
            <tr><td className="muted">{t.runs.started}</td>{runs.map((run) => <td key={run.run_id}><Time at={run.started_at} /></td>)}</tr>
            <tr><td className="muted">{t.runs.duration}</td>{runs.map((run) => <td key={run.run_id}>{took(run)}</td>)}</tr>
            {rows.flatMap(({ scope, keys }) => keys.map((key) => <tr key={scope + key}><td className="mono cut"><Plain cut>{key}</Plain></td>{runs.map((run) => <td key={run.run_id} className="mono">{cellOf(run, scope, key)}</td>)}</tr>))}
          </tbody>
        </table>
      </div></section>
      <p><a href={to("/runs")}>{t.runs.title}</a></p>
    </>
  );
}

const cellOf = (run: RunSummary, scope: "metrics" | "params", key: string) => (scope === "metrics" ? figure(at(run.metrics, key)) : <Plain>{at(run.params, key) ?? ""}</Plain>);
