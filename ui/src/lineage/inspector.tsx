import { useQuery } from "@tanstack/react-query";
import { Crosshair, Expand, GitCompareArrows, Pin, Shrink, SquareArrowOutUpRight, X } from "lucide-react";
import type { ReactNode } from "react";
import { api, type RunDetail, type VersionDetail } from "../api/client";
import { linkOf, links, to } from "../app/route";
import { at, better, delta, figure, plain, short, signed, size } from "../kit/format";
import { DiffList, KindIcon, Loaded, Plain, State, Time, took } from "../kit/parts";
import { allChanges } from "../models/changes";
import { t } from "../text";
import { health, kindOf, type Scene, type SceneEdge, type SceneNode, subtitle, title } from "./scene";

export interface Actions {
  focus: (node: SceneNode) => void;
  expand: (node: SceneNode) => void;
  pin: (node: SceneNode) => void;
  compare: (node: SceneNode) => void;
  close: () => void;
}

export function Inspector({ node, edge, scene, pinned, expanded, actions }: { node?: SceneNode; edge?: SceneEdge; scene: Scene; pinned?: SceneNode; expanded: string[]; actions: Actions }) {
  return (
    <aside className="inspector" aria-label={t.lineage.inspector}>
      <button type="button" className="button plain small icon close" aria-label={t.lineage.close} onClick={actions.close}><X size={15} aria-hidden="true" /></button>
      {edge ? <EdgeFacts edge={edge} scene={scene} /> : node ? <NodeFacts node={node} pinned={pinned} expanded={expanded} actions={actions} /> : null}
    </aside>
  );
}

function EdgeFacts({ edge, scene }: { edge: SceneEdge; scene: Scene }) {
  const [from, to_] = [edge.src, edge.dst].map((id) => scene.nodes.find((node) => node.id === id));
  return (
    <>
      <span className="badge">{t.lineage.edge}</span>
      <h2 className="big">{edge.kind}</h2>
      <dl className="facts">
        <dt>{t.lineage.from}</dt><dd>{from ? <Plain>{`${title(from)} ${subtitle(from)}`}</Plain> : null}</dd>
        <dt>{t.lineage.to}</dt><dd>{to_ ? <Plain>{`${title(to_)} ${subtitle(to_)}`}</Plain> : null}</dd>
        <dt>{t.lineage.role}</dt><dd>{edge.roles.join(", ") || t.value.none}</dd>
        <dt>{t.lineage.evidence}</dt><dd>{t.evidence[edge.evidence] ?? edge.evidence}{edge.rule ? ` (${edge.rule})` : ""}</dd>
        <dt>{t.lineage.at}</dt><dd><Time at={edge.at} /></dd>
        <dt>{t.lineage.edges}</dt><dd>{t.lineage.times(edge.count)}</dd>
      </dl>
      {edge.also ? <p className="note warn">{t.lineage.also}</p> : null}
      {edge.loop ? <p className="note warn">{t.lineage.loop}</p> : null}
      {edge.faint ? <p className="note">{t.lineage.faint}</p> : null}
    </>
  );
}

function NodeFacts({ node, pinned, expanded, actions }: { node: SceneNode; pinned?: SceneNode; expanded: string[]; actions: Actions }) {
  const single = node.shape === "node";
  const found = useQuery({ queryKey: ["show", node.ref], queryFn: ({ signal }) => api.show(node.ref, signal), enabled: single });
  const kind = kindOf(node);
  const state = health(node);
  const page = node.type === "run" ? links.run(node.ref) : node.names[0] ? to("/version", { ref: node.names[0] }) : linkOf(node.ref, node.kind);
  const open = expanded.includes(node.id);
  return (
    <>
      <div className="row spread" style={{ paddingRight: 30 }}><span className={`badge kindbadge kind-${kind}`}><KindIcon kind={kind} size={13} />{kind === "run" ? "Run" : kind}</span>{node.aliases.map((alias) => <span key={alias} className="badge good"><Plain>{alias.split("@").at(-1) ?? alias}</Plain></span>)}</div>
      <h2 className="big"><Plain>{title(node)}</Plain> <span className="muted"><Plain>{subtitle(node)}</Plain></span></h2>
      <p className="row"><i className={`dot ${state.tone}`} aria-hidden="true" />{state.word}{node.shape !== "node" ? ` · ${t.lineage.alike(node.count)}` : null}</p>
      {node.origin_unknown ? <p className="note warn">{t.lineage.unknown}</p> : null}
      {single ? <Loaded of={found} lines={8}>{(data) => (data.type === "run" ? <RunFacts run={data} /> : <VersionFacts version={data} />)}</Loaded> : <Members node={node} />}
      <div className="actions">
        {single ? <Action on={() => actions.focus(node)} icon={<Crosshair size={14} aria-hidden="true" />} label={t.lineage.focus} /> : <Action on={() => actions.expand(node)} icon={open ? <Shrink size={14} aria-hidden="true" /> : <Expand size={14} aria-hidden="true" />} label={open ? t.lineage.collapse : t.lineage.expand} />}
        {single ? <a className="button small" href={page}><SquareArrowOutUpRight size={14} aria-hidden="true" />{t.lineage.openPage}</a> : null}
        {single ? <Action on={() => actions.pin(node)} icon={<Pin size={14} aria-hidden="true" />} label={pinned?.id === node.id ? t.lineage.unpin : t.lineage.pin} /> : null}
        {single && pinned && pinned.id !== node.id ? <Action on={() => actions.compare(node)} icon={<GitCompareArrows size={14} aria-hidden="true" />} label={t.lineage.compareHere} primary /> : null}
      </div>
    </>
  );
}

const Action = ({ on, icon, label, primary }: { on: () => void; icon: ReactNode; label: string; primary?: boolean }) => <button type="button" className={`button small ${primary ? "primary" : ""}`} onClick={on}>{icon}{label}</button>;

function Members({ node }: { node: SceneNode }) {
  return (
    <>
      <dl className="facts">{Object.entries(node.states).map(([state, n]) => [<dt key={state}><State state={state} /></dt>, <dd key={`${state}=`}>{n}</dd>])}</dl>
      {node.lead.length ? <><h3>{t.lineage.lead}</h3><ul>{node.lead.map((ref) => <li key={ref}><a href={linkOf(ref)}><Plain>{ref}</Plain></a></li>)}</ul></> : null}
      <ul className="stack" style={{ gap: 4 }}>{node.members.map((ref) => <li key={ref} className="cut"><a className="mono" href={linkOf(ref)}><Plain cut>{ref}</Plain></a></li>)}{node.count > node.members.length ? <li className="muted">{t.runs.more(node.count - node.members.length)}</li> : null}</ul>
    </>
  );
}

function RunFacts({ run }: { run: RunDetail }) {
  return (
    <>
      <Tiles metrics={run.summary.metrics} />
      <dl className="facts">
        <dt>{t.run.by}</dt><dd><Plain>{run.summary.actor || t.value.unknown}</Plain></dd>
        <dt>{t.run.started}</dt><dd><Time at={run.started_at} /></dd>
        <dt>{t.run.duration}</dt><dd>{took(run)}</dd>
        {run.code?.commit ? <><dt>{t.run.commit}</dt><dd className="mono"><Plain>{String(run.code.commit).slice(0, 10)}</Plain> {run.code.dirty ? t.run.dirty : t.run.clean}</dd></> : null}
        {run.environment?.python ? <><dt>{t.run.tabs.environment}</dt><dd>Python <Plain>{String(run.environment.python)}</Plain></dd></> : null}
        {run.params.slice(0, 8).map((param) => [<dt key={param.key} className="cut"><Plain cut>{param.key}</Plain></dt>, <dd key={`${param.key}=`} className="mono"><Plain>{param.value}</Plain></dd>])}
      </dl>
      {run.error ? <p className="note bad"><strong><Plain>{run.error.type}</Plain></strong>: <Plain>{run.error.message}</Plain></p> : null}
    </>
  );
}

function Tiles({ metrics, before }: { metrics: RunDetail["summary"]["metrics"]; before?: RunDetail["summary"]["metrics"] }) {
  const all = Object.entries(metrics).slice(0, 3);
  if (!all.length) return null;
  return (
    <div className="metric-tiles">
      {all.map(([key, value]) => {
        const moved = before ? delta(value, at(before, key)) : undefined;
        const good = better(key);
        return <div key={key} className="metric-tile"><div className="label cut"><Plain cut>{key}</Plain></div><div className="value">{figure(value)}</div>{moved !== undefined ? <div className={moved === 0 || good === undefined ? "muted" : moved > 0 === good ? "up" : "down"}>{signed(moved)}</div> : null}</div>;
      })}
    </div>
  );
}

function VersionFacts({ version }: { version: VersionDetail }) {
  const name = version.names[0];
  const [stem, number] = name ? [name.split("@").slice(0, -1).join("@"), Number(name.split("@").at(-1))] : ["", 0];
  const before = number > 1 ? `${stem}@${number - 1}` : version.number > 1 && !name ? `${version.ref.split("@").slice(0, -1).join("@")}@${version.number - 1}` : "";
  const here = name ?? version.ref;
  const diff = useQuery({ queryKey: ["diff", before, here], queryFn: ({ signal }) => api.diff(before, here, signal), enabled: before !== "", staleTime: 60_000, retry: false });
  const well = useQuery({ queryKey: ["health", here], queryFn: ({ signal }) => api.health(here, signal), staleTime: 60_000 });
  const made = version.made_by[0];
  const earlier = Object.fromEntries((diff.data?.change.metrics ?? []).flatMap((one) => (one.a === null ? [] : [[one.key, one.a]])));
  const all = diff.data ? allChanges(diff.data.change) : [];
  return (
    <>
      <p className="muted">{made ? <>{plain(made.actor)} · <Time at={version.recorded_at} /> · {took(made)}</> : <Time at={version.recorded_at} />}</p>
      {made ? <Tiles metrics={made.metrics} before={earlier} /> : null}
      <dl className="facts">
        {made ? <><dt>{t.nav.runs.slice(0, -1)}</dt><dd><a href={links.run(made.run_id)}><Plain>{made.job}</Plain> <span className="mono">{made.run_id.slice(0, 6)}</span></a></dd></> : null}
        <dt>{t.datasets.digest}</dt><dd className="mono">{version.digest ? short(version.digest) : t.value.unknown}</dd>
        {version.reason ? <><dt>{t.datasets.reason}</dt><dd><Plain>{version.reason}</Plain></dd></> : null}
        <dt>{t.datasets.size}</dt><dd>{size(version.size)}</dd>
        <dt>{t.datasets.consumers}</dt><dd>{version.used_by.length}</dd>
        {well.data ? <><dt>{t.models.health}</dt><dd>{Math.round(well.data.percent)} %</dd></> : null}
      </dl>
      {version.candidates.length ? <div className="note warn"><strong>{t.datasets.candidates}</strong><ul>{version.candidates.map((ref) => <li key={ref}><a href={linkOf(ref)}><Plain>{ref}</Plain></a></li>)}</ul></div> : null}
      {diff.data ? <><div className="row spread"><h3>{t.lineage.changedFrom(before.split("@").at(-1) ? `v${before.split("@").at(-1)}` : before)}</h3><a href={links.compare(before, here)}>{t.models.differences(all.length)}</a></div>{all.length ? <DiffList changes={all} most={6} /> : null}</> : null}
    </>
  );
}
