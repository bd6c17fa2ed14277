import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Share2 } from "lucide-react";
import { Suspense, useEffect, useRef, useState } from "react";
import { api, type RunDetail, type RunFile } from "../api/client";
import { curvesAhead } from "../app/ahead";
import { Head } from "../app/head";
import { LIVE, pace } from "../app/live";
import { linkOf, links, to, usePlace } from "../app/route";
import { figure, plain, short, size } from "../kit/format";
import { later } from "../kit/later";
import { Empty, Panel, Plain, Problem, runName, Skeleton, State, Tile, Time, took } from "../kit/parts";
import { ProfilePanel } from "../datasets/profile";
import { RunTable } from "../more/home";
import { t } from "../text";
import { Files, Kept, Patch } from "./files";
import { notebooks } from "./kept";

const Charts = later(async () => (await import("./charts")).default);
const Console = later(async () => (await import("./console")).default);
const Notebooks = later(async () => (await import("./notebook")).default);
const Difference = later(async () => (await import("./difference")).default);
void Charts.fetch().catch(() => undefined); // nearly every run is looked at for them
type Tab = keyof typeof t.run.tabs;

/** A run of the record by its reference, asked again while it runs. */
export function useRun(ref: string) {
  const [ended, setEnded] = useState(false);
  const found = useQuery({
    meta: ended ? undefined : LIVE,
    queryKey: ["show", ref],
    queryFn: ({ signal }) => api.show(ref, signal),
    enabled: ref !== "",
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (query.state.data?.type === "run" && query.state.data.state === "running" ? pace(2000) : false),
  });
  const over = found.data?.type === "run" && found.data.state !== "running";
  useEffect(() => setEnded(over), [over]);
  return found;
}

export function Run() {
  const queries = useQueryClient();
  const { query } = usePlace();
  const id = query.get("id") ?? "";
  useEffect(() => curvesAhead(queries, id, query.get("tab") ?? ""), [queries, id]);
  const found = useRun(id ? `run:${id}` : "");
  const run = found.data?.type === "run" && found.data.run_id.startsWith(id) ? found.data : undefined;
  return (
    <div className="page">
      <Head
        crumbs={[{ label: t.runs.title, href: to("/runs") }, { label: run ? `${runName(run.summary)} ${run.run_id.slice(0, 8)}` : id.slice(0, 12) }]}
        actions={run ? <a className="button hide-small" href={links.lineage(`run:${run.run_id}`)}><Share2 size={15} aria-hidden="true" />{t.run.lineage}</a> : null}
      />
      {!id ? <Empty title={t.error.missing} /> : run ? <Whole run={run} tab={(query.get("tab") ?? "overview") as Tab} /> : found.error ? <Problem error={found.error} retry={() => void found.refetch()} /> : <Skeleton lines={9} height={24} />}
    </div>
  );
}

function Whole({ run, tab }: { run: RunDetail; tab: Tab }) {
  const curves = run.metrics.filter((metric) => metric.count > 1).length;
  const books = notebooks(run).length;
  const tabs: { key: Tab; n?: number }[] = [
    { key: "overview" }, { key: "charts", n: curves }, { key: "data", n: run.inputs.length + run.outputs.length }, { key: "code" }, { key: "environment" }, { key: "console" },
    ...(books ? [{ key: "notebook" as Tab, n: books }] : []),
    { key: "files", n: run.outputs.length }, { key: "difference" },
    ...(run.children.length ? [{ key: "children" as Tab, n: run.children.length }] : []),
    ...(run.error ? [{ key: "error" as Tab }] : []),
  ];
  const active = tabs.some((one) => one.key === tab) ? tab : "overview";
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    const here = bar.current?.querySelector<HTMLElement>("[aria-current]"); // where there is no room for all, the one that is open is seen
    if (here && bar.current) bar.current.scrollLeft = here.offsetLeft + here.offsetWidth / 2 - bar.current.clientWidth / 2;
  }, [active]);
  return (
    <>
      <div className="page-head">
        <div className="stack">
          <div className="row wrap"><Tile kind={run.summary.kind === "deployment" ? "deployment" : "run"} /><h1><bdi title={runName(run.summary)}>{runName(run.summary)}</bdi></h1><span className="badge"><State state={run.state} /></span></div>
          <p className="muted"><span className="mono">{run.run_id}</span> · <Plain cut>{run.summary.actor || t.value.unknown}</Plain> · <Time at={run.started_at} /> · {took(run)}</p>
        </div>
        {run.state === "running" ? <span className="badge info" role="status"><span className="dot info pulse" aria-hidden="true" />{t.run.live}</span> : null}
      </div>
      {run.deleted_at ? <p className="note warn">{t.run.deleted}</p> : null}
      {run.error && active !== "error" ? <div className="note bad"><strong><Plain>{run.error.type}</Plain></strong>: <Plain>{run.error.message}</Plain> <a href={to("/run", { id: run.run_id, tab: "error" })}>{t.run.tabs.error}</a></div> : null}
      <nav ref={bar} className="tabs" aria-label={runName(run.summary)}>
        {tabs.map((one) => <a key={one.key} href={to("/run", { id: run.run_id, tab: one.key === "overview" ? "" : one.key })} aria-current={one.key === active ? "page" : undefined}>{t.run.tabs[one.key]}{one.n ? <span className="n">{one.n}</span> : null}</a>)}
      </nav>
      {active === "overview" ? <Overview run={run} curves={curves} /> : null}
      {active === "charts" ? <Suspense fallback={<Skeleton lines={6} height={120} />}><Charts runs={[{ id: run.run_id, name: runName(run.summary) }]} live={run.state === "running"} /></Suspense> : null}
      {active === "data" ? <Data run={run} /> : null}
      {active === "code" ? <Code run={run} /> : null}
      {active === "environment" ? <Environment run={run} /> : null}
      {active === "console" ? <Suspense fallback={<Skeleton lines={10} />}><Console run={run} /></Suspense> : null}
      {active === "notebook" ? <Suspense fallback={<Skeleton lines={10} />}><Notebooks run={run} /></Suspense> : null}
      {active === "difference" ? <Suspense fallback={<Skeleton lines={10} />}><Difference run={run} /></Suspense> : null}
      {active === "files" ? <Files run={run} /> : null}
      {active === "children" ? <Panel title={t.run.tabs.children} flush><RunTable runs={run.children} /></Panel> : null}
      {active === "error" && run.error ? <Panel title={<Plain>{run.error.type}</Plain>}><div className="stack"><Plain>{run.error.message}</Plain><pre className="code" tabIndex={0}>{plain(run.error.traceback ?? "")}</pre></div></Panel> : null}
    </>
  );
}

function Overview({ run, curves }: { run: RunDetail; curves: number }) {
  const text = run.tags["mlflow.note.content"];
  const notes = (run.facets["lineal.notes/1"] as { gaps?: string[] } | undefined)?.gaps;
  return (
    <div className="grid">
      <div className="s8 stackgrid">
        {curves ? <Suspense fallback={<Skeleton lines={2} height={120} />}><Charts runs={[{ id: run.run_id, name: runName(run.summary) }]} live={run.state === "running"} most={4} bare /></Suspense> : null}
        <Panel title={t.run.metrics} flush>
          {run.metrics.length ? (
            <div className="tablewrap" tabIndex={0} role="region" aria-label={t.run.metrics}><table className="list">
              <thead><tr><th>{t.run.key}</th><th className="num">{t.run.last}</th><th className="num">{t.run.min}</th><th className="num">{t.run.max}</th><th className="num">{t.run.points}</th></tr></thead>
              <tbody>{run.metrics.map((metric) => <tr key={metric.key}><td className="mono cut"><Plain cut>{metric.key}</Plain></td><td className="num">{figure(metric.last)}</td><td className="num">{figure(metric.minimum)}</td><td className="num">{figure(metric.maximum)}</td><td className="num">{figure(metric.count)}</td></tr>)}</tbody>
            </table></div>
          ) : <p className="muted pad">{t.run.nometrics}</p>}
        </Panel>
        <Panel title={t.run.params} flush>
          {run.params.length ? (
            <div className="tablewrap" tabIndex={0} role="region" aria-label={t.run.params}><table className="list">
              <thead><tr><th>{t.run.key}</th><th>{t.run.value}</th><th>{t.run.source}</th></tr></thead>
              <tbody>{run.params.map((param) => <tr key={`${param.key} ${param.source}`}><td className="mono cut"><Plain cut>{param.key}</Plain></td><td className="mono"><Plain>{param.value}</Plain></td><td className="muted"><Plain>{param.source}</Plain></td></tr>)}</tbody>
            </table></div>
          ) : <p className="muted pad">{t.run.noparams}</p>}
        </Panel>
      </div>
      <div className="s4 stackgrid">
        <Panel title={t.lineage.facts} aside={<a href={links.lineage(`run:${run.run_id}`)}>{t.run.lineage}</a>}>
          <dl className="facts">
            <dt>{t.run.job}</dt><dd><a href={links.job(run.job)}><Plain>{run.job}</Plain></a></dd>
            <dt>{t.run.started}</dt><dd><Time at={run.started_at} /></dd>
            <dt>{t.run.ended}</dt><dd>{run.ended_at ? <Time at={run.ended_at} /> : t.time.running}</dd>
            <dt>{t.run.duration}</dt><dd>{took(run)}</dd>
            {run.exit_code !== null ? <><dt>{t.run.exit}</dt><dd>{run.exit_code}</dd></> : null}
            {run.signal !== null ? <><dt>{t.run.signal}</dt><dd>{run.signal}</dd></> : null}
            {run.summary.parent ? <><dt>{t.run.parent}</dt><dd><a className="mono" href={links.run(run.summary.parent)}>{run.summary.parent.slice(0, 12)}</a></dd></> : null}
            {run.code ? <><dt>{t.run.commit}</dt><dd className="mono"><Plain>{String(run.code.commit ?? "").slice(0, 10)}</Plain> {run.code.dirty ? t.run.dirty : t.run.clean}</dd></> : null}
            {run.summary.groups.length ? <><dt>{t.run.groups}</dt><dd><Plain>{run.summary.groups.join(", ")}</Plain></dd></> : null}
          </dl>
        </Panel>
        <Panel title={t.run.inputs}><FileList files={run.inputs} none={t.run.noinputs} /></Panel>
        <Panel title={t.run.outputs}><FileList files={run.outputs} none={t.run.nooutputs} /></Panel>
        {Object.keys(run.tags).length ? <Panel title={t.run.tags}><dl className="facts">{Object.entries(run.tags).filter(([key]) => key !== "mlflow.note.content").map(([key, value]) => [<dt key={key} className="cut" title={key}><Plain>{key}</Plain></dt>, <dd key={`${key}=`}><Plain>{value}</Plain></dd>])}</dl></Panel> : null}
        {notes?.length ? <Panel title={t.run.gaps}><ul className="stack">{notes.map((note) => <li key={note} className="note warn"><Plain>{note}</Plain></li>)}</ul></Panel> : null}
        {text ? <Panel title={t.models.card}><Notes text={text} /></Panel> : null}
      </div>
    </div>
  );
}

const Notes = later(async () => (await import("../kit/markdown")).Markdown);

function FileList({ files, none }: { files: RunFile[]; none: string }) {
  if (!files.length) return <p className="muted">{none}</p>;
  return (
    <ul className="stack">
      {files.slice(0, 30).map((file) => (
        <li key={file.version + file.role} className="row">
          <Tile kind={file.kind} />
          <div className="grow stack" style={{ gap: 0 }}>
            <a href={linkOf(file.version, file.kind)} className="cut"><Plain cut>{file.names[0] ?? file.version}</Plain></a>
            <span className="muted cut" style={{ fontSize: 12.5 }}>{file.role} · {size(file.size)}{file.origin_unknown ? ` · ${t.run.unknownOrigin}` : ""}</span>
          </div>
        </li>
      ))}
      {files.length > 30 ? <li className="muted">{t.runs.more(files.length - 30)}</li> : null}
    </ul>
  );
}

function Data({ run }: { run: RunDetail }) {
  const tables = run.inputs.filter((file) => file.digest && (file.kind === "dataset" || file.kind === "features"));
  const [open, setOpen] = useState<string>();
  return (
    <>
      {([[t.run.inputs, run.inputs, t.run.noinputs], [t.run.outputs, run.outputs, t.run.nooutputs]] as const).map(([title, files, none]) => (
        <Panel key={title} title={title} flush>
          {files.length ? (
            <div className="tablewrap" tabIndex={0} role="region" aria-label={title}><table className="list">
              <thead><tr><th>{t.run.name}</th><th>{t.run.role}</th><th>{t.run.evidence}</th><th>{t.run.digest}</th><th className="num">{t.run.size}</th><th>{t.datasets.made}</th></tr></thead>
              <tbody>{files.map((file) => (
                <tr key={file.version + file.role}>
                  <td><div className="row"><Tile kind={file.kind} /><a href={linkOf(file.version, file.kind)}><Plain>{file.version}</Plain></a></div></td>
                  <td><Plain>{file.role}</Plain></td>
                  <td><span title={t.evidence[file.evidence]}>{file.evidence}</span> <span className="muted">{file.via.join(", ")}</span></td>
                  <td className="mono" title={file.digest ?? plain(file.reason)}>{file.digest ? short(file.digest) : <span className="muted">{t.value.unknown}</span>}</td>
                  <td className="num nowrap">{size(file.size)}</td>
                  <td>{file.made_by.length ? file.made_by.slice(0, 3).map((id) => <a key={id} className="mono" href={links.run(id)}>{id.slice(0, 8)} </a>) : file.origin_unknown ? <span className="badge warn">{t.run.unknownOrigin}</span> : ""}</td>
                </tr>
              ))}</tbody>
            </table></div>
          ) : <p className="muted pad">{none}</p>}
        </Panel>
      ))}
      {tables.length ? (
        <Panel title={t.profile.ofInputs} aside={t.profile.ofInputsLead}>
          <ul className="stack">
            {tables.slice(0, 200).map((file) => (
              <li key={file.version + file.role}>
                <details onToggle={(event) => { if (event.currentTarget.open) setOpen(file.version); }}>
                  <summary className="row"><Tile kind={file.kind} /><Plain>{file.version}</Plain></summary>
                  {open === file.version ? <div style={{ padding: "8px 0 12px" }}><ProfilePanel reference={file.version} bare /></div> : null}
                </details>
              </li>
            ))}
          </ul>
        </Panel>
      ) : null}
    </>
  );
}

function Code({ run }: { run: RunDetail }) {
  const code = run.code as Record<string, unknown> | null;
  const launch = run.facets["lineal.launch/1"] as { argv?: unknown[]; command?: unknown[] } | undefined;
  const command = (launch?.argv ?? launch?.command ?? []).map(String).join(" ");
  if (!code && !command) return <section className="card"><Empty title={t.run.nocode} /></section>;
  const digest = typeof code?.diff === "string" && code.diff.startsWith("sha256:") ? code.diff : typeof code?.diff_digest === "string" ? code.diff_digest : "";
  const untracked = Array.isArray(code?.untracked) ? (code.untracked as { path: string; sha256: string }[]) : [];
  return (
    <div className="grid">
      <div className="s4"><Panel title={t.run.tabs.code}>
        <dl className="facts">
          {command ? <><dt>{t.run.launch}</dt><dd className="mono"><Plain>{command}</Plain></dd></> : null}
          {Object.entries(code ?? {}).filter(([, value]) => typeof value !== "object").map(([key, value]) => [<dt key={key}>{key}</dt>, <dd key={`${key}=`} className="mono"><Plain>{String(value)}</Plain></dd>])}
        </dl>
      </Panel></div>
      <div className="s8 stackgrid">
        <Panel title={t.run.diff}>{digest ? <Kept digest={digest} diff /> : typeof code?.diff === "string" && code.diff ? <Patch text={code.diff} /> : <p className="muted">{code?.dirty ? t.value.unknown : t.run.nodiff}</p>}</Panel>
        {untracked.length ? <Panel title={t.run.untracked}><dl className="facts">{untracked.map((file) => [<dt key={file.path} className="mono"><Plain>{file.path}</Plain></dt>, <dd key={`${file.path}=`} className="mono muted">{short(file.sha256)}</dd>])}</dl></Panel> : null}
      </div>
    </div>
  );
}

function Environment({ run }: { run: RunDetail }) {
  const [text, setText] = useState("");
  const env = run.environment;
  if (!env) return <section className="card"><Empty title={t.run.noenv} /></section>;
  const packages = Object.entries((env.packages as Record<string, string> | undefined) ?? {}).filter(([name]) => name.toLowerCase().includes(text.toLowerCase()));
  return (
    <div className="grid">
      <div className="s6"><Panel title={t.run.tabs.environment}><dl className="facts">{Object.entries(env).filter(([key]) => key !== "packages").map(([key, value]) => [<dt key={key}>{key}</dt>, <dd key={`${key}=`} className="mono"><Plain>{typeof value === "object" ? JSON.stringify(value) : String(value)}</Plain></dd>])}</dl></Panel></div>
      <div className="s6"><Panel title={t.run.packages} aside={packages.length}><div className="stack"><input className="input" placeholder={t.run.packages} aria-label={t.run.packages} value={text} onChange={(event) => setText(event.target.value)} /><dl className="facts">{packages.slice(0, 400).map(([name, version]) => [<dt key={name} className="mono"><Plain>{name}</Plain></dt>, <dd key={`${name}=`} className="mono"><Plain>{String(version)}</Plain></dd>])}</dl></div></Panel></div>
    </div>
  );
}

