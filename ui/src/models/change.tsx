// What differs between two runs: results, data down to columns, parameters, code, environment.
import type { RunChange, Schemas } from "../api/client";
import { linkOf } from "../app/route";
import { better, figure, signed } from "../kit/format";
import { DiffList, Panel, Plain } from "../kit/parts";
import { measures } from "../kit/profile";
import { t } from "../text";
import { columnLine } from "./changes";
import { CodeDiff } from "./codediff";

/** What differs between two runs, part by part. a, b: their references, where lines of code are to be compared too. */
export function Change({ change: found, brief, a, b }: { change: RunChange; brief?: boolean; a?: string; b?: string }) {
  const parts = [
    { title: t.compare.params, changes: found.params, same: found.same.params },
    { title: t.compare.code, changes: found.code, same: found.same.code },
    { title: t.compare.environment, changes: found.environment, same: found.same.environment },
  ].filter((part) => !brief || part.changes.length);
  return (
    <div className="grid">
      <div className={brief ? "s12 stackgrid" : "s6 stackgrid"}>
        {brief && !found.metrics.length ? null : <Metrics changes={found.metrics} same={found.same.metrics ?? 0} />}
        {brief && !found.inputs.length ? null : <Inputs changes={found.inputs} same={found.same.inputs ?? 0} />}
      </div>
      <div className={brief ? "s12 stackgrid" : "s6 stackgrid"}>
        {parts.map((part) => (
          <Panel key={part.title} title={part.title} aside={t.compare.same(part.same ?? 0)}>
            {part.changes.length ? <DiffList changes={part.changes} /> : <p className="muted">{t.compare.nothing}</p>}
            {part.title === t.compare.code && part.changes.length && a && b ? <CodeDiff a={a} b={b} /> : null}
          </Panel>
        ))}
      </div>
    </div>
  );
}

function Metrics({ changes, same }: { changes: Schemas["MetricChange"][]; same: number }) {
  return (
    <Panel title={t.compare.metrics} aside={t.compare.same(same)} flush={changes.length > 0}>
      {changes.length ? (
        <table className="list">
          <thead><tr><th>{t.run.key}</th><th className="num">{t.compare.a}</th><th className="num">{t.compare.b}</th><th className="num">{t.compare.delta}</th></tr></thead>
          <tbody>{changes.map((one) => { const good = better(one.key); return <tr key={one.key}><td className="mono cut"><Plain cut>{one.key}</Plain></td><td className="num">{figure(one.a)}</td><td className="num">{figure(one.b)}</td><td className={`num ${one.delta === null || good === undefined ? "" : one.delta > 0 === good ? "up" : "down"}`}>{one.delta === null ? "" : signed(one.delta)}</td></tr>; })}</tbody>
        </table>
      ) : <p className="muted">{t.compare.nothing}</p>}
    </Panel>
  );
}

function Inputs({ changes, same }: { changes: Schemas["InputChange"][]; same: number }) {
  return (
    <Panel title={t.compare.data} aside={t.compare.same(same)}>
      {changes.length ? (
        <ul className="stack">
          {changes.map((one) => (
            <li key={one.name}><InputLine one={one} /></li>
          ))}
        </ul>
      ) : <p className="muted">{t.compare.nothing}</p>}
    </Panel>
  );
}

/** One input that differs, or one version against another: what it holds, by column or by file. */
export function InputLine({ one }: { one: Schemas["InputChange"] }) {
  const words: Record<string, string> = { changed: t.compare.changed, added: t.compare.added, removed: t.compare.removed, unknown: t.compare.unknown };
  return (
    <div className="stack">
      <div className="row spread wrap"><strong><Plain>{one.name}</Plain></strong><span className={`badge ${one.status === "changed" ? "info" : "warn"}`}>{words[one.status] ?? one.status}</span></div>
      <div className="row wrap muted">{one.a ? <a href={linkOf(one.a)}><Plain>{one.a}</Plain></a> : null}{one.a && one.b ? "→" : null}{one.b ? <a href={linkOf(one.b)}><Plain>{one.b}</Plain></a> : null}{one.rows_a !== null || one.rows_b !== null ? <span>{t.compare.rows}: {figure(one.rows_a)} → {figure(one.rows_b)}</span> : null}</div>
      {one.columns.length ? <DiffList changes={one.columns.map((column) => columnLine(column, column.key))} most={40} /> : null}
      {one.drift?.length ? <Drifts drift={one.drift} /> : null}
      {one.drift_unknown ? <p className="muted"><Plain>{one.drift_unknown}</Plain></p> : null}
      {one.files.length ? <DiffList changes={one.files} most={20} /> : null}
      {one.columns_unknown ? <p className="muted"><Plain>{one.columns_unknown}</Plain></p> : null}
    </div>
  );
}


/** The columns whose values moved, with how much and from how many rows; those that did not are counted. */
function Drifts({ drift }: { drift: Schemas["ColumnDrift"][] }) {
  const moved = drift.filter((one) => one.drifted);
  const rest = drift.length - moved.length;
  return (
    <div className="stack" style={{ gap: 4 }}>
      {moved.slice(0, 20).map((one) => (
        <div key={one.name} className="row wrap spread small"><span><Plain mono>{one.name}</Plain> <span className="badge warn">{t.profile.verdicts.drifted}</span></span><span className="muted" title={one.basis ?? ""}>{measures(one)}{one.basis ? ` · ${/[\d,]+ and [\d,]+ rows/.exec(one.basis)?.[0] ?? ""}` : ""}</span></div>
      ))}
      {rest ? <p className="muted small">{t.profile.rest(rest)}</p> : null}
    </div>
  );
}
