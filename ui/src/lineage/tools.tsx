// The bar above the graph: what is asked for, what is left out, what is looked for.
import { ChevronDown, Layers, Route as RouteIcon, SlidersHorizontal, Table2 } from "lucide-react";
import { type RefObject } from "react";
import { change } from "../app/route";
import { Popover } from "../kit/parts";
import { count, t } from "../text";
import { type Asked, BUDGETS, HOPS, toggled } from "./asked";
import type { SceneNode } from "./scene";

const moved = { edge: undefined } as const;
const LENSES = ["versions", "logical", "overview"] as const;

export interface Finding {
  text: string;
  at: number;
  hits: SceneNode[];
  finder: RefObject<HTMLInputElement | null>;
  onText: (text: string) => void;
  onGo: (n: number) => void;
  onLeave: () => void;
}

/** kinds: of all that was answered, also of what is hidden. */
export function Tools({ asked, kinds, shown, total, chosen, finding }: { asked: Asked; kinds: string[]; shown: number; total: number; chosen: boolean; finding: Finding }) {
  const { text, at, hits } = finding;
  const less = asked.hide.length + (asked.by ? 1 : 0) + (asked.depth ? 1 : 0) + (asked.governing ? 1 : 0);
  return (
    <div className="tools" role="toolbar" aria-label={t.lineage.title}>
      <div className="seg" role="group" aria-label={t.lineage.lens}>{LENSES.map((lens) => <button key={lens} type="button" aria-pressed={asked.lens === lens} disabled={!asked.ref && lens !== "overview"} onClick={() => change({ ...moved, v: undefined, lens: lens === "versions" ? "" : lens, sel: undefined, pin: undefined, open: undefined, expand: undefined, columns: undefined, column: undefined })}>{t.lineage.lenses[lens]}</button>)}</div>
      {asked.ref && !asked.compare && !asked.to && asked.lens !== "overview" ? <div className="seg" role="group" aria-label={t.lineage.both}>{([["both", t.lineage.both], ["up", t.lineage.up], ["down", t.lineage.down]] as const).map(([dir, label]) => <button key={dir} type="button" aria-pressed={asked.dir === dir} onClick={() => change({ ...moved, dir: dir === "both" ? "" : dir })}>{label}</button>)}</div> : null}
      <div className="seg"><button type="button" aria-pressed={asked.fold} onClick={() => change({ ...moved, fold: asked.fold ? "0" : "" })}><Layers size={14} aria-hidden="true" /> {t.lineage.fold}</button></div>
      <Popover className="button showchip" label={<><SlidersHorizontal size={14} aria-hidden="true" />{t.lineage.show}{less ? <span className="badge">{less}</span> : null}</>}>
        {() => (
          <div className="showing">
            <fieldset><legend>{t.lineage.kindsShown}</legend>{kinds.map((kind) => <label key={kind}><input type="checkbox" checked={!asked.hide.includes(kind)} onChange={() => change({ ...moved, hide: toggled(asked.hide, kind) })} />{kind}</label>)}</fieldset>
            {asked.lens === "versions" ? <label><input type="checkbox" checked={asked.governing} onChange={() => change({ ...moved, gov: !asked.governing })} />{t.lineage.governing}</label> : null}
            <fieldset><legend>{t.lineage.groupBy}</legend>{(["", "kind", "namespace"] as const).map((by) => <label key={by}><input type="radio" name="by" checked={asked.by === by} onChange={() => change({ ...moved, by })} />{t.lineage.bys[by]}</label>)}</fieldset>
            {asked.ref ? <fieldset><legend>{t.lineage.hops}</legend>{[undefined, ...HOPS].map((hops) => <label key={hops ?? 0}><input type="radio" name="depth" checked={asked.depth === hops} onChange={() => change({ ...moved, depth: hops ?? "" })} />{hops === undefined ? t.lineage.allHops : hops}</label>)}</fieldset> : null}
          </div>
        )}
      </Popover>
      <div className="seg find">
        <input ref={finding.finder} aria-label={t.lineage.find} placeholder={t.lineage.find} value={text} onChange={(event) => finding.onText(event.target.value)} onKeyDown={(event) => { if (event.key === "Enter") finding.onGo(event.shiftKey ? at - 1 : at + 1); else if (event.key === "Escape") finding.onLeave(); }} />
        {text ? <span className="muted nowrap" role="status">{hits.length ? `${Math.max(1, at + 1)}/${hits.length}` : "0"}</span> : <span className="kbd" aria-hidden="true">/</span>}
      </div>
      <span className="grow" />
      <div className="seg">
        {chosen ? <button type="button" aria-pressed={asked.only} title={t.lineage.paths} aria-label={t.lineage.paths} onClick={() => change({ only: !asked.only })}><RouteIcon size={14} aria-hidden="true" /></button> : null}
        <button type="button" aria-pressed={asked.table} onClick={() => change({ table: !asked.table })}><Table2 size={14} aria-hidden="true" /> {t.lineage.table}</button>
      </div>
      <Popover className="button countchip" align="right" label={<><b>{count(shown)}</b><span className="muted">{t.lineage.of(total)}</span><ChevronDown size={14} aria-hidden="true" /></>}>
        {(close) => BUDGETS.map((budget) => <button key={budget} type="button" className="option" aria-pressed={asked.budget === budget} onClick={() => { close(); change({ ...moved, budget: budget === 60 ? "" : budget }); }}>{t.lineage.budget}: {count(budget)}</button>)}
      </Popover>
    </div>
  );
}
