import { useQuery } from "@tanstack/react-query";
import { Columns3 } from "lucide-react";
import { api } from "../api/client";
import { quote } from "../app/route";
import { at, figure, numeric, plain } from "../kit/format";
import { KindIcon } from "../kit/parts";
import { varied } from "../kit/series";
import { count, t } from "../text";
import { Sign, Signs, spokenMarks, spokenTraits } from "./marks";
import { health, kindOf, look, MOST_ROWS, type SceneNode, subtitle, title } from "./scene";

export interface Acts {
  onOpen: (node: SceneNode, way: "up" | "down", hops?: number) => void;
  isOpen: (node: SceneNode, way: "up" | "down") => boolean;
  onColumns: (node: SceneNode) => void;
  onColumn: (node: SceneNode, column: string) => void;
}

export interface CardProps extends Record<string, unknown> {
  node: SceneNode;
  chosen: boolean;
  pinned: boolean;
  faint: boolean;
  found: boolean;
  fresh: boolean; // it came while the page was looked at
  bright: Set<string>; // columns of it that lie on the way of the chosen one
  acts: Acts;
}

/** What a screen reader says of a card. */
export function spoken(node: SceneNode): string {
  const more = [node.up.count ? t.lineage.moreUp(beyond(node.up)) : "", node.down.count ? t.lineage.moreDown(beyond(node.down)) : ""];
  return [kindOf(node), title(node), subtitle(node), health(node).word, node.side ? (t.lineage.legend[node.side] ?? "") : "", ...spokenMarks(node.marks), ...spokenTraits(node), node.won ?? "", ...more].filter(Boolean).join(", ");
}

const beyond = (side: SceneNode["up"]): string => `${count(side.count)}${side.exact ? "" : "+"}`;
/** Of what columns can be known. */
export const hasColumns = (node: SceneNode): boolean => node.shape === "node" && (node.type === "version" || node.type === "artifact") && ["dataset", "features", "report"].includes(node.kind);

export function Card({ node, chosen, pinned, faint, found, fresh, bright, acts }: CardProps) {
  const kind = kindOf(node);
  const shape = look(node);
  const state = health(node);
  const names = ["lc", shape, `kind-${kind}`, chosen ? "chosen" : "", pinned ? "pinned" : "", faint ? "faint" : "", found ? "found" : "", node.focus ? "focus" : "", node.side ? `side-${node.side}` : "", node.origin_unknown ? "unknown" : "", node.deleted_at ? "gone" : "", node.columns ? "tall" : "", node.way ? "way" : "", fresh ? "fresh" : ""];
  const essential = node.essential && !node.focus ? <span className="trait" title={t.lineage.traitHow.essential}><Sign kind="essential" /></span> : null;
  const head = (
    <>
      {shape === "card" ? <span className="tile"><KindIcon kind={kind} /></span> : <KindIcon kind={kind} />}
      <span className="words"><b className={shape === "pill" ? "two" : "cut"}><bdi>{title(node)}</bdi></b>{shape === "pill" ? null : <span className="cut"><bdi>{subtitle(node)}</bdi></span>}</span>
      {shape === "pill" ? <span className="badge times" title={subtitle(node)}>{count(node.count)}</span> : null}
      {hasColumns(node) ? <button type="button" tabIndex={-1} className="cols nodrag" aria-pressed={node.columns !== undefined} title={node.columns ? t.lineage.columnsHide : t.lineage.columnsShow} aria-label={node.columns ? t.lineage.columnsHide : t.lineage.columnsShow} onClick={(event) => { event.stopPropagation(); acts.onColumns(node); }}><Columns3 size={13} aria-hidden="true" /></button> : null}
    </>
  );
  return (
    <div className={names.filter(Boolean).join(" ")} title={shape === "pill" ? plain(node.label) : node.commit ? t.lineage.commitOf(plain(node.commit).slice(0, 10)) : undefined}>
      {node.up.count || acts.isOpen(node, "up") ? <More node={node} way="up" acts={acts} /> : null}
      {shape === "circle" ? (
        <>
          <span className="disc"><KindIcon kind="job" size={17} /><i className={`dot ${state.tone} corner`} title={state.word} /><Signs marks={node.marks} />{essential}</span>
          <span className="under"><b className="cut"><bdi>{title(node)}</bdi></b><span className="cut"><bdi>{subtitle(node)}</bdi></span></span>
        </>
      ) : shape === "sweep" ? <Sweep node={node} /> : (
        <>
          {node.columns ? <span className="head">{head}</span> : head}
          <i className={`dot ${state.tone} corner`} title={state.word} />
          {node.columns ? <Columns node={node} bright={bright} acts={acts} /> : null}
        </>
      )}
      {shape === "circle" ? null : <><Signs marks={node.marks} />{essential}</>}
      {node.down.count || acts.isOpen(node, "down") ? <More node={node} way="down" acts={acts} /> : null}
    </div>
  );
}

function More({ node, way, acts }: { node: SceneNode; way: "up" | "down"; acts: Acts }) {
  const hidden = beyond(node[way]);
  const open = acts.isOpen(node, way);
  const said = open ? t.lineage.less[way] : way === "up" ? t.lineage.moreUp(hidden) : t.lineage.moreDown(hidden);
  return <button type="button" tabIndex={-1} className={`${open ? "less" : "more"} ${way === "up" ? "left" : "right"} nodrag`} title={said} aria-label={said} onClick={(event) => { event.stopPropagation(); acts.onOpen(node, way, event.shiftKey ? 3 : 1); }}>{open ? "−" : `+${hidden}`}</button>;
}

function Columns({ node, bright, acts }: { node: SceneNode; bright: Set<string>; acts: Acts }) {
  const all = node.columns ?? [];
  return (
    <ul className="columns">
      {all.slice(0, MOST_ROWS).map((column) => <li key={column}><button type="button" tabIndex={-1} className={`cut mono nodrag ${bright.has(column) ? "bright" : ""}`} title={plain(column)} onClick={(event) => { event.stopPropagation(); acts.onColumn(node, column); }}><bdi>{plain(column)}</bdi></button></li>)}
      {all.length > MOST_ROWS ? <li className="muted">{t.runs.more(all.length - MOST_ROWS)}</li> : all.length ? null : <li className="muted">{t.lineage.nocolumns}</li>}
    </ul>
  );
}

/** Siblings in one card: how they stand, for runs a strip of dots, one per run, by the metric that varies most, and which of them led on. */
function Sweep({ node }: { node: SceneNode }) {
  const runs = node.type === "run" && !node.label.includes("#");
  const strip = useQuery({ queryKey: ["strip", node.label], queryFn: ({ signal }) => api.runs({ where: `job = ${quote(node.label)}`, limit: 400 }, signal), enabled: runs, staleTime: 60_000 });
  const all = strip.data?.runs ?? [];
  const metric = varied(all.map((run) => run.metrics))[0];
  const lead = node.lead.length === 1 ? node.lead[0]?.replace(/^run:/, "") : undefined;
  const points = metric ? all.map((run) => ({ value: numeric(at(run.metrics, metric)), won: run.run_id === lead })).filter((one) => Number.isFinite(one.value)).reverse() : [];
  const values = points.map((one) => one.value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const total = Object.values(node.states).reduce((sum, n) => sum + n, 0);
  const y = (value: number) => (high === low ? 11 : 19 - ((value - low) / (high - low)) * 16);
  const x = (n: number) => 4 + (n / Math.max(1, points.length - 1)) * 182;
  return (
    <>
      <span className="row"><span className="tile"><KindIcon kind="group" /></span><span className="words"><b className="cut"><bdi>{title(node)}</bdi></b><span className="cut"><bdi>{subtitle(node)}</bdi></span></span><span className="badge times">×{count(node.count)}</span></span>
      {points.length > 1 && metric ? (
        <span className="strip" title={`${plain(metric)}: ${figure(low)} – ${figure(high)}`}>
          <svg viewBox="0 0 190 22" width="100%" height="22" aria-hidden="true">{points.map((one, n) => (one.won ? null : <circle key={n} cx={x(n)} cy={y(one.value)} r="1.7" />))}{points.map((one, n) => (one.won ? <circle key={n} className="won" cx={x(n)} cy={y(one.value)} r="3.4" /> : null))}</svg>
          <span className="row spread"><span className="cut">{plain(metric)} {figure(low)}</span><span>{figure(high)}</span></span>
        </span>
      ) : node.metrics[0] ? (
        <span className="strip cut">{plain(node.metrics[0].key)} {figure(node.metrics[0].minimum)}{node.metrics[0].count > 1 ? ` – ${figure(node.metrics[0].maximum)}` : ""}</span>
      ) : total ? (
        <span className="statebar" aria-hidden="true">{Object.entries(node.states).map(([state, n]) => <i key={state} className={`dot ${state === "finished" ? "good" : state === "running" ? "info" : "bad"}`} style={{ flexGrow: n }} />)}</span>
      ) : null}
      {node.won ? <span className="winner cut"><i className="dot" aria-hidden="true" /><bdi>{node.won}</bdi></span> : null}
    </>
  );
}
