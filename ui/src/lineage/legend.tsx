import { Info, X } from "lucide-react";
import { change } from "../app/route";
import { Popover } from "../kit/parts";
import { count, t } from "../text";
import { counted, having, MARKS, type MarkKind, Sign, type Trait, TRAITS } from "./marks";
import type { Scene } from "./scene";

/** What signs and lines mean, and how many cards carry which sign; choosing one goes to the next of them. */
export function Legend({ scene, chosen, cut, trait, onChoose }: { scene: Scene; chosen?: string; cut: string; trait?: Trait; onChoose: (id: string) => void }) {
  const next = (ids: string[]) => ids[(ids.indexOf(chosen ?? "") + 1) % ids.length] as string;
  return (
    <div className="signbar">
      {counted(scene).map(({ kind, ids }) => <button key={kind} type="button" className="signcount" title={t.lineage.markHow[kind]} onClick={() => onChoose(next(ids))}><Sign kind={kind} /><Count said={t.lineage.marked[kind](ids.length)} n={ids.length} /></button>)}
      {TRAITS.map((kind) => ({ kind, ids: having(scene, kind) })).filter((one) => one.ids.length).map(({ kind, ids }) => <button key={kind} type="button" className="signcount" aria-pressed={trait === kind} title={t.lineage.traitHow[kind]} onClick={() => change({ light: trait === kind ? undefined : kind })}><Sign kind={kind} /><Count said={t.lineage.traited[kind](ids.length)} n={ids.length} /></button>)}
      <Popover className="signcount" label={<><Info size={13} aria-hidden="true" /><span className="wide">{t.lineage.key}</span></>} up>
        {() => (
          <div className="keybox">
            <ul>{MARKS.map((kind: MarkKind) => <li key={kind}><Sign kind={kind} /><b>{t.lineage.marks[kind]}</b><span>{t.lineage.markHow[kind]}</span></li>)}{TRAITS.map((kind) => <li key={kind}><Sign kind={kind} /><b>{t.lineage.traits[kind]}</b><span>{t.lineage.traitHow[kind]}</span></li>)}</ul>
            <ul>{t.lineage.lines.map(([name, what]) => <li key={name}><svg width="34" height="8" aria-hidden="true"><path className={`line ${name}`} d="M1,4L33,4" /></svg><span>{what}</span></li>)}</ul>
          </div>
        )}
      </Popover>
      {cut ? <span className="cutnote" title={cut}>{cut.replace(/^./, (first) => first.toUpperCase())}</span> : null}
    </div>
  );
}

/** In words, or on a phone as the number alone. */
const Count = ({ said, n }: { said: string; n: number }) => <><span className="wide">{said}</span><span className="tight" aria-hidden="true">{count(n)}</span></>;

/** The four colours of a difference, with a way out of it. */
export function Sides() {
  return (
    <ul className="legend card" aria-label={t.lineage.compareTitle}>
      {Object.entries(t.lineage.legend).map(([side, label]) => <li key={side}><i className={`swatch side-${side}`} aria-hidden="true" />{label}</li>)}
      <li><button type="button" className="button plain small icon" aria-label={t.lineage.close} onClick={() => change({ compare: undefined, v: undefined })}><X size={13} aria-hidden="true" /></button></li>
    </ul>
  );
}
