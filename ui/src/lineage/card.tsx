import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import { quote } from "../app/route";
import { at, figure, numeric } from "../kit/format";
import { KindIcon } from "../kit/parts";
import { varied } from "../kit/series";
import { count, t } from "../text";
import { health, kindOf, look, type SceneNode, subtitle, title } from "./scene";

export interface CardProps extends Record<string, unknown> {
  node: SceneNode;
  chosen: boolean;
  pinned: boolean;
  faint: boolean;
  found: boolean;
  onOpen: (node: SceneNode, way: "up" | "down") => void;
}

/** What a screen reader says of a card. */
export function spoken(node: SceneNode): string {
  const more = [node.up.count ? t.lineage.moreUp(beyond(node.up)) : "", node.down.count ? t.lineage.moreDown(beyond(node.down)) : ""];
  return [kindOf(node), title(node), subtitle(node), health(node).word, ...more].filter(Boolean).join(", ");
}

const beyond = (side: SceneNode["up"]): string => `${count(side.count)}${side.exact ? "" : "+"}`;

export function Card({ node, chosen, pinned, faint, found, onOpen }: CardProps) {
  const kind = kindOf(node);
  const shape = look(node);
  const state = health(node);
  const names = ["lc", shape, `kind-${kind}`, chosen ? "chosen" : "", pinned ? "pinned" : "", faint ? "faint" : "", found ? "found" : "", node.focus ? "focus" : "", node.side ? `side-${node.side}` : "", node.origin_unknown ? "unknown" : ""];
  return (
    <div className={names.filter(Boolean).join(" ")}>
      {node.up.count ? <button type="button" tabIndex={-1} className="more left nodrag" title={t.lineage.moreUp(beyond(node.up))} aria-label={t.lineage.moreUp(beyond(node.up))} onClick={(event) => { event.stopPropagation(); onOpen(node, "up"); }}>+{beyond(node.up)}</button> : null}
      {shape === "circle" ? (
        <>
          <span className="disc"><KindIcon kind="job" size={17} /><i className={`dot ${state.tone} corner`} title={state.word} /></span>
          <span className="under"><b className="cut"><bdi>{title(node)}</bdi></b><span className="cut"><bdi>{subtitle(node)}</bdi></span></span>
        </>
      ) : shape === "sweep" ? <Sweep node={node} /> : (
        <>
          {shape === "card" ? <span className="tile"><KindIcon kind={kind} /></span> : <KindIcon kind={kind} />}
          <span className="words"><b className="cut"><bdi>{title(node)}</bdi></b>{shape === "card" ? <span className="cut"><bdi>{subtitle(node)}</bdi></span> : null}</span>
          <i className={`dot ${state.tone} corner`} title={state.word} />
        </>
      )}
      {node.down.count ? <button type="button" tabIndex={-1} className="more right nodrag" title={t.lineage.moreDown(beyond(node.down))} aria-label={t.lineage.moreDown(beyond(node.down))} onClick={(event) => { event.stopPropagation(); onOpen(node, "down"); }}>+{beyond(node.down)}</button> : null}
    </div>
  );
}

/** Siblings in one card: how they stand, and for runs a strip of dots, one per run, by the metric that varies most. */
function Sweep({ node }: { node: SceneNode }) {
  const runs = node.type === "run" && !node.label.includes("#");
  const strip = useQuery({ queryKey: ["strip", node.label], queryFn: ({ signal }) => api.runs({ where: `job = ${quote(node.label)}`, limit: 400 }, signal), enabled: runs, staleTime: 60_000 });
  const all = strip.data?.runs ?? [];
  const metric = varied(all.map((run) => run.metrics))[0];
  const values = metric ? all.map((run) => numeric(at(run.metrics, metric))).filter(Number.isFinite).reverse() : [];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const total = Object.values(node.states).reduce((sum, n) => sum + n, 0);
  return (
    <>
      <span className="row"><span className="tile"><KindIcon kind="group" /></span><span className="words"><b className="cut"><bdi>{title(node)}</bdi></b><span className="cut"><bdi>{subtitle(node)}</bdi></span></span><span className="badge times">×{count(node.count)}</span></span>
      {values.length > 1 && metric ? (
        <span className="strip" title={`${metric}: ${figure(low)} – ${figure(high)}`}>
          <svg viewBox="0 0 200 22" width="100%" height="22" preserveAspectRatio="none" aria-hidden="true">{values.map((value, n) => <circle key={n} cx={4 + (n / Math.max(1, values.length - 1)) * 192} cy={high === low ? 11 : 19 - ((value - low) / (high - low)) * 16} r="1.7" />)}</svg>
          <span className="row spread"><span className="cut">{metric} {figure(low)}</span><span>{figure(high)}</span></span>
        </span>
      ) : total ? (
        <span className="statebar" aria-hidden="true">{Object.entries(node.states).map(([state, n]) => <i key={state} className={`dot ${state === "finished" ? "good" : state === "running" ? "info" : "bad"}`} style={{ flexGrow: n }} />)}</span>
      ) : null}
    </>
  );
}
