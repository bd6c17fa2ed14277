import { useQuery } from "@tanstack/react-query";
import { ChevronDown, ChevronsLeft, ChevronsRight, ChevronUp, Columns3, Crosshair, Expand, GitCompareArrows, Mail, Pin, Shrink, SquareArrowOutUpRight, Waypoints, X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { api, type RunDetail, type VersionDetail } from "../api/client";
import { linkOf, links, to } from "../app/route";
import { at, better, delta, figure, plain, short, signed, size } from "../kit/format";
import { Dialog, DiffList, KindIcon, Loaded, Plain, Popover, State, Time, took } from "../kit/parts";
import { allChanges } from "../models/changes";
import { t } from "../text";
import { type Acts, hasColumns } from "./card";
import { key } from "./layout";
import { MARKS, Sign, spokenTraits } from "./marks";
import { health, kindOf, type Mark, type Scene, type SceneEdge, type SceneNode, shortest, subtitle, title } from "./scene";

const OPEN_HOPS = [1, 2, 3, 5, 20]; // the server opens at most 20 at once

export interface Actions {
  focus: (node: SceneNode) => void;
  expand: (node: SceneNode) => void;
  columns: (node: SceneNode) => void;
  open: (node: SceneNode, way: "up" | "down", hops?: number) => void;
  pin: (node: SceneNode) => void;
  compare: (node: SceneNode) => void;
  ways: (node: SceneNode) => void;
  close: () => void;
}

export function Inspector({ node, edge, scene, pinned, expanded, isOpen, actions, onChoose, onEdge }: { node?: SceneNode; edge?: SceneEdge; scene: Scene; pinned?: SceneNode; expanded: string[]; isOpen: Acts["isOpen"]; actions: Actions; onChoose: (id: string) => void; onEdge: (id: string) => void }) {
  const [tall, setTall] = useState(false); // on a phone, where it is no more than a title at first
  return (
    <aside className={`inspector ${tall ? "tall" : ""}`} aria-label={t.lineage.inspector}>
      <button type="button" className="button plain small icon close" aria-label={t.lineage.close} onClick={actions.close}><X size={15} aria-hidden="true" /></button>
      <button type="button" className="grip" aria-expanded={tall} onClick={() => setTall(!tall)}>{tall ? <ChevronDown size={15} aria-hidden="true" /> : <ChevronUp size={15} aria-hidden="true" />}{tall ? t.lineage.lessFacts : t.lineage.moreFacts}</button>
      {edge ? <EdgeFacts key={key(edge.src, edge.dst)} edge={edge} scene={scene} onChoose={onChoose} /> : node ? <NodeFacts node={node} scene={scene} pinned={pinned} expanded={expanded} isOpen={isOpen} actions={actions} onEdge={onEdge} /> : null}
    </aside>
  );
}

/** What deserves a second look, in words. */
function Marked({ marks }: { marks: readonly Mark[] }) {
  if (!marks.length) return null;
  return <ul className="marked">{MARKS.flatMap((kind) => marks.filter((mark) => mark.kind === kind)).map((mark) => <li key={`${mark.kind} ${mark.said}`} className={`mark-${mark.kind}`}><Sign kind={mark.kind as (typeof MARKS)[number]} /><span><b>{t.lineage.marks[mark.kind as (typeof MARKS)[number]]}</b> <Plain>{mark.said}</Plain></span></li>)}</ul>;
}

function EdgeFacts({ edge, scene, onChoose }: { edge: SceneEdge; scene: Scene; onChoose: (id: string) => void }) {
  const [read, setRead] = useState<number>();
  const ends = [edge.src, edge.dst].map((id) => scene.nodes.find((node) => node.id === id));
  const end = (node: SceneNode | undefined) => (node ? <button type="button" className="linkish" onClick={() => onChoose(node.id)}><Plain>{`${title(node)} ${subtitle(node)}`}</Plain></button> : null);
  const known = Object.entries(edge.evidences);
  return (
    <>
      <span className="badge">{t.lineage.edge}</span>
      <h2 className="big">{edge.kind}</h2>
      <Marked marks={edge.marks} />
      <dl className="facts">
        <dt>{t.lineage.from}</dt><dd>{end(ends[0])}</dd>
        <dt>{t.lineage.to}</dt><dd>{end(ends[1])}</dd>
        <dt>{t.lineage.role}</dt><dd><Plain>{edge.roles.join(", ") || t.value.none}</Plain></dd>
        {edge.evidence ? <><dt>{t.lineage.evidence}</dt><dd>{t.evidence[edge.evidence] ?? edge.evidence}{edge.rule ? ` (${edge.rule})` : ""}</dd></> : null}
        {known.length > 1 ? <><dt>{t.lineage.evidences}</dt><dd>{known.map(([how, n]) => `${n} ${how}`).join(", ")}</dd></> : null}
        {edge.vias.length ? <><dt>{t.lineage.via}</dt><dd><Plain>{edge.vias.join(", ")}</Plain></dd></> : null}
        <dt>{t.lineage.happened}</dt><dd><Time at={edge.at} /></dd>
        {edge.recorded_at ? <><dt>{t.lineage.recorded}</dt><dd><Time at={edge.recorded_at} /></dd></> : null}
        <dt>{t.lineage.edges}</dt><dd>{t.lineage.times(edge.count)}</dd>
      </dl>
      {edge.messages.length ? <><h3>{t.lineage.message}</h3><ul className="row wrap">{edge.messages.map((number) => <li key={number}><button type="button" className="button small" onClick={() => setRead(number)}><Mail size={13} aria-hidden="true" />{t.lineage.messageNo(number)}</button></li>)}</ul></> : null}
      {edge.over ? <p className="note">{t.lineage.through(edge.over)}</p> : <EdgeFacets edge={edge} ends={ends} />}
      {edge.also ? <p className="note warn">{t.lineage.also}</p> : null}
      {edge.loop ? <p className="note warn">{t.lineage.loop}</p> : null}
      {edge.faint ? <p className="note">{t.lineage.faint}</p> : null}
      {read === undefined ? null : <Message number={read} onClose={() => setRead(undefined)} />}
    </>
  );
}

/** What is attached to the edge between one run and one version that it read or wrote. */
function EdgeFacets({ edge, ends }: { edge: SceneEdge; ends: (SceneNode | undefined)[] }) {
  const run = ends.find((node) => node?.shape === "node" && node.type === "run");
  const version = ends.find((node) => node?.shape === "node" && node.type === "version");
  const found = useQuery({ queryKey: ["show", run?.ref], queryFn: ({ signal }) => api.show(run?.ref ?? "", signal), enabled: Boolean(run && version) && edge.count > 0 });
  const detail = found.data && "inputs" in found.data ? found.data : undefined;
  const files = detail && version ? [...detail.inputs, ...detail.outputs].filter((file) => file.version === version.ref) : [];
  const facets = Object.assign({}, ...files.map((file) => file.facets)) as Record<string, unknown>;
  if (!Object.keys(facets).length) return null;
  return (
    <>
      <h3>{t.run.facets}</h3>
      {Object.entries(facets).map(([name, body]) => <details key={name}><summary className="mono"><Plain>{name}</Plain></summary><pre className="received" tabIndex={0} aria-label={name}>{plain(JSON.stringify(body, null, 2))}</pre></details>)}
    </>
  );
}

/** A message as it was received, JSON laid out. */
function Message({ number, onClose }: { number: number; onClose: () => void }) {
  const found = useQuery({ queryKey: ["message", number], queryFn: ({ signal }) => api.message(number, signal), staleTime: Number.POSITIVE_INFINITY });
  return (
    <Dialog title={t.lineage.messageNo(number)} onClose={onClose}>
      <Loaded of={found} lines={10}>
        {(message) => (
          <>
            <dl className="facts">
              <dt>{t.lineage.door}</dt><dd><Plain>{message.door}</Plain></dd>
              <dt>{t.lineage.sender}</dt><dd className="mono"><Plain>{message.source}</Plain></dd>
              <dt>{t.lineage.recorded}</dt><dd><Time at={message.recorded_at} /></dd>
              <dt>{t.datasets.digest}</dt><dd className="mono">{short(message.digest)}</dd>
              <dt>{t.datasets.size}</dt><dd>{size(message.size)}</dd>
            </dl>
            <pre className="received" tabIndex={0} aria-label={t.lineage.received}>{laidOut(message.text)}</pre>
            {message.cut ? <p className="note">{t.lineage.messageCut}</p> : null}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

/** JSON in lines; anything else as it is. */
function laidOut(text: string): string {
  try {
    return plain(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return plain(text);
  }
}

function NodeFacts({ node, scene, pinned, expanded, isOpen, actions, onEdge }: { node: SceneNode; scene: Scene; pinned?: SceneNode; expanded: string[]; isOpen: Acts["isOpen"]; actions: Actions; onEdge: (id: string) => void }) {
  const single = node.shape === "node";
  const exact = single && (node.type === "run" || node.type === "version");
  const found = useQuery({ queryKey: ["show", node.ref], queryFn: ({ signal }) => api.show(node.ref, signal), enabled: exact });
  const kind = kindOf(node);
  const state = health(node);
  const page = node.type === "job" ? links.job(node.label) : node.type === "run" ? links.run(node.ref) : node.names[0] ? to("/version", { ref: node.names[0] }) : linkOf(node.ref, node.type === "artifact" ? "" : node.kind);
  const open = expanded.includes(node.id);
  const others = pinned && pinned.id !== node.id;
  const badge = node.type === "job" ? t.lineage.job : kind === "run" ? t.lineage.run : kind;
  return (
    <>
      <div className="row spread" style={{ paddingRight: 30 }}><span className={`badge kindbadge kind-${kind}`}><KindIcon kind={kind} size={13} />{badge}</span>{node.aliases.map((alias) => <span key={alias} className="badge good"><Plain>{alias.split("@").at(-1) ?? alias}</Plain></span>)}</div>
      <h2 className="big"><Plain>{title(node)}</Plain> <span className="muted"><Plain>{subtitle(node)}</Plain></span></h2>
      <p className="row"><i className={`dot ${state.tone}`} aria-hidden="true" />{state.word}{node.shape !== "node" ? ` · ${t.lineage.alike(node.count)}` : null}</p>
      {node.side ? <p className="row"><i className={`swatch side-${node.side}`} aria-hidden="true" />{t.lineage.legend[node.side]}</p> : null}
      <Marked marks={node.marks} />
      {spokenTraits(node).map((said) => <p key={said} className="row traitline"><Sign kind={said === t.lineage.traits.serves ? "serves" : "essential"} />{said}</p>)}
      {node.won ? <p className="note good"><Plain>{node.won}</Plain></p> : null}
      {exact ? <Loaded of={found} lines={8}>{(data) => (data.type === "run" ? <RunFacts run={data} /> : <VersionFacts version={data} />)}</Loaded> : single ? <SeriesFacts node={node} /> : <Members node={node} />}
      <Ends node={node} scene={scene} onEdge={onEdge} />
      <div className="actions">
        {single ? <Action on={() => actions.focus(node)} icon={<Crosshair size={14} aria-hidden="true" />} label={t.lineage.focus} /> : <Action on={() => actions.expand(node)} icon={open ? <Shrink size={14} aria-hidden="true" /> : <Expand size={14} aria-hidden="true" />} label={open ? t.lineage.collapse : t.lineage.expand} />}
        {single ? <a className="button small" href={page}><SquareArrowOutUpRight size={14} aria-hidden="true" />{t.lineage.openPage}</a> : null}
        {single ? <Opener node={node} side="up" open={isOpen(node, "up")} actions={actions} /> : null}
        {single ? <Opener node={node} side="down" open={isOpen(node, "down")} actions={actions} /> : null}
        {hasColumns(node) ? <Action on={() => actions.columns(node)} icon={<Columns3 size={14} aria-hidden="true" />} label={node.columns ? t.lineage.columnsHide : t.lineage.columnsShow} /> : null}
        {single ? <Action on={() => actions.pin(node)} icon={<Pin size={14} aria-hidden="true" />} label={pinned?.id === node.id ? t.lineage.unpin : t.lineage.pin} /> : null}
        {single && others ? <Action on={() => actions.ways(node)} icon={<Waypoints size={14} aria-hidden="true" />} label={t.lineage.ways} /> : null}
        {single && others ? <Action on={() => actions.compare(node)} icon={<GitCompareArrows size={14} aria-hidden="true" />} label={t.lineage.compareHere} primary /> : null}
      </div>
      {others ? <Between node={node} pinned={pinned} scene={scene} /> : null}
    </>
  );
}

/** Opens what lies on one side of a card, by as many hops as wanted; or closes it again. */
function Opener({ node, side, open, actions }: { node: SceneNode; side: "up" | "down"; open: boolean; actions: Actions }) {
  const icon = side === "up" ? <ChevronsLeft size={14} aria-hidden="true" /> : <ChevronsRight size={14} aria-hidden="true" />;
  if (open) return <Action on={() => actions.open(node, side)} icon={icon} label={t.lineage.less[side]} />;
  if (!node[side].count) return null;
  const label = side === "up" ? t.lineage.openUp : t.lineage.openDown;
  return (
    <Popover className="button small" up label={<>{icon}{label}</>}>
      {(close) => OPEN_HOPS.map((hops) => <button key={hops} type="button" className="option" onClick={() => { close(); actions.open(node, side, hops); }}>{t.lineage.hopsOf(hops)}</button>)}
    </Popover>
  );
}

/** The lines that meet a card, each of which can be chosen: a line is thin, and cannot be reached with a key. */
function Ends({ node, scene, onEdge }: { node: SceneNode; scene: Scene; onEdge: (id: string) => void }) {
  const names = new Map(scene.nodes.map((other) => [other.id, title(other)]));
  const sides = [
    { said: t.lineage.from, edges: scene.edges.filter((edge) => edge.dst === node.id), other: (edge: SceneEdge) => edge.src },
    { said: t.lineage.to, edges: scene.edges.filter((edge) => edge.src === node.id), other: (edge: SceneEdge) => edge.dst },
  ].filter((side) => side.edges.length);
  if (!sides.length) return null;
  return (
    <details className="ends">
      <summary>{t.lineage.linesOf(sides.reduce((sum, side) => sum + side.edges.length, 0))}</summary>
      {sides.map(({ said, edges, other }) => <div key={said}><h3>{said}</h3><ul>{edges.slice(0, 40).map((edge) => <li key={other(edge)}><button type="button" className="linkish" onClick={() => onEdge(key(edge.src, edge.dst))}><Plain>{names.get(other(edge)) ?? ""}</Plain></button> <span className="muted">{edge.kind}</span>{edge.marks.length ? <span className="muted"> · {edge.marks[0]?.kind}</span> : null}</li>)}</ul></div>)}
    </details>
  );
}

/** Whether a way leads between the chosen card and the pinned one, among what is drawn. */
function Between({ node, pinned, scene }: { node: SceneNode; pinned: SceneNode; scene: Scene }) {
  const way = shortest(scene.edges, pinned.id, node.id) ?? shortest(scene.edges, node.id, pinned.id);
  const names = new Map(scene.nodes.map((other) => [other.id, title(other)]));
  return <p className={`note ${way ? "good" : ""}`} role="status">{way ? <><b>{t.lineage.wayOf(way.length - 1)}</b> <Plain>{way.map((id) => names.get(id) ?? "").join(" → ")}</Plain></> : t.lineage.noWay}</p>;
}

/** An artifact or a job as such. */
function SeriesFacts({ node }: { node: SceneNode }) {
  return (
    <dl className="facts">
      <dt>{node.type === "job" ? t.lineage.happeningsTitle : t.lineage.versionsTitle}</dt><dd>{node.count}</dd>
      {Object.entries(node.states).map(([state, n]) => [<dt key={state}><State state={state} /></dt>, <dd key={`${state}=`}>{n}</dd>])}
      {node.commit ? <><dt>{t.run.commit}</dt><dd className="mono"><Plain>{node.commit.slice(0, 12)}</Plain></dd></> : null}
      {node.namespace ? <><dt>{t.lineage.namespace}</dt><dd><Plain>{node.namespace}</Plain></dd></> : null}
      <dt>{t.lineage.firstSeen}</dt><dd><Time at={node.at} /></dd>
    </dl>
  );
}

const Action = ({ on, icon, label, primary }: { on: () => void; icon: ReactNode; label: string; primary?: boolean }) => <button type="button" className={`button small ${primary ? "primary" : ""}`} onClick={on}>{icon}{label}</button>;

function Members({ node }: { node: SceneNode }) {
  return (
    <>
      <dl className="facts">
        {Object.entries(node.states).map(([state, n]) => [<dt key={state}><State state={state} /></dt>, <dd key={`${state}=`}>{n}</dd>])}
        {node.commit ? <><dt>{t.run.commit}</dt><dd className="mono"><Plain>{node.commit.slice(0, 12)}</Plain></dd></> : null}
      </dl>
      {node.metrics.length ? (
        <table className="list groupmetrics">
          <thead><tr><th>{t.run.key}</th><th className="num">{t.lineage.lowest}</th><th className="num">{t.lineage.median}</th><th className="num">{t.lineage.highest}</th></tr></thead>
          <tbody>{node.metrics.map((one) => <tr key={one.key}><td className="cut"><Plain cut>{one.key}</Plain></td><td className="num"><a href={linkOf(one.least)}>{figure(one.minimum)}</a></td><td className="num">{figure(one.median)}</td><td className="num"><a href={linkOf(one.greatest)}>{figure(one.maximum)}</a></td></tr>)}</tbody>
        </table>
      ) : null}
      {node.shape === "chain" || node.shape === "cycle" ? <p><Plain>{node.label}</Plain></p> : null}
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
        {well.data ? <><dt>{t.models.healthShort}</dt><dd>{Math.round(well.data.percent)} %</dd></> : null}
      </dl>
      {version.candidates.length ? <div className="note warn"><strong>{t.datasets.candidates}</strong><ul>{version.candidates.map((ref) => <li key={ref}><a href={linkOf(ref)}><Plain>{ref}</Plain></a></li>)}</ul></div> : null}
      {diff.data ? <><div className="row spread"><h3>{t.lineage.changedFrom(before.split("@").at(-1) ? `v${before.split("@").at(-1)}` : before)}</h3><a href={links.compare(before, here)}>{t.models.differences(all.length)}</a></div>{all.length ? <DiffList changes={all} most={6} /> : null}</> : null}
    </>
  );
}
