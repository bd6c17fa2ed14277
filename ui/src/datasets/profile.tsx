// A table's columns: how their values are spread, and how that moved since another version.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Schemas } from "../api/client";
import { figure, plain } from "../kit/format";
import { Loaded, Panel, Plain, Said } from "../kit/parts";
import { type ColumnDrift, type ColumnProfile, listed, measures, range, shares, verdict } from "../kit/profile";
import { count, t } from "../text";

const FIRST = 60;

/** The profile of a version as a panel, against the version before or one that is chosen. */
export function ProfilePanel({ reference, others, bare }: { reference: string; others?: { ref: string; number: number }[]; bare?: boolean }) {
  const [against, setAgainst] = useState("");
  const found = useQuery({ queryKey: ["profile", reference, against], queryFn: ({ signal }) => api.profile({ ref: reference, against }, signal), staleTime: 60_000 });
  const before = found.data?.before?.ref;
  const inner = <Loaded of={found} lines={6} height={34}>{(data) => <Body data={data} />}</Loaded>;
  if (bare) return inner;
  const choice = others && others.length > 1 && found.data?.profile ? (
    <label className="row"><span className="muted">{t.profile.against}</span>
      <select className="input" value={against || (before ?? "")} onChange={(event) => setAgainst(event.target.value)}>
        {before ? null : <option value="">{t.profile.nobody}</option>}
        {others.filter((one) => one.ref !== reference).map((one) => <option key={one.ref} value={one.ref}>{t.datasets.version(one.number)}</option>)}
      </select>
    </label>
  ) : null;
  return <Panel title={t.profile.title} aside={choice} id="profile">{inner}</Panel>;
}

function Body({ data }: { data: Schemas["ProfileReply"] }) {
  const [most, setMost] = useState(FIRST);
  const { profile, before, drift } = data;
  if (!profile) return <p className="muted"><Said>{t.profile.none}</Said></p>;
  const moved = new Map(drift.map((one) => [one.name, one]));
  const old = new Map((before?.columns ?? []).map((one) => [one.name, one]));
  const drifted = drift.filter((one) => one.drifted);
  const columns = [...profile.columns].sort((a, b) => Number(moved.get(b.name)?.drifted ?? false) - Number(moved.get(a.name)?.drifted ?? false));
  return (
    <div className="stack" style={{ gap: 12 }}>
      <p className="muted">
        {t.profile.rows(profile.rows, profile.rows_read)}{profile.by ? <> · <Plain>{profile.by}</Plain></> : null}
        {before ? <> · {t.profile.compared(before.ref.split("@").at(-1) ?? "", before.rows)}</> : null}
      </p>
      {profile.reason ? <p className="note warn"><Plain>{profile.reason}</Plain></p> : null}
      {before ? <p className={`note ${drifted.length ? "warn" : "good"}`} role="status">{drifted.length ? <>{t.profile.drifted(drifted.length, profile.columns.length)} <bdi className="mono">{drifted.slice(0, 6).map((one) => plain(one.name)).join(", ")}</bdi></> : t.profile.steady}</p> : null}
      {columns.length ? (
        <div className="tablewrap" tabIndex={0} role="region" aria-label={t.profile.title}>
          <table className="list profile">
            <thead><tr><th>{t.datasets.column}</th><th>{t.profile.spread}</th><th className="num">{t.profile.nulls}</th><th className="num">{t.profile.distinct}</th><th>{t.profile.values}</th>{before ? <th>{t.profile.drift}</th> : null}</tr></thead>
            <tbody>{columns.slice(0, most).map((column) => <Row key={column.name} column={column} before={old.get(column.name)} drift={moved.get(column.name)} compared={before !== null} rows={profile.rows_read ?? profile.rows} />)}</tbody>
          </table>
        </div>
      ) : null}
      {columns.length > most ? <div><button type="button" className="button small" onClick={() => setMost(most + 200)}>{t.runs.more(columns.length - most)}</button></div> : null}
      {before ? <p className="muted small">{t.profile.legend(data.limits.psi ?? 0.1, data.limits.ks ?? 0.05, data.limits.js ?? 0.1)}</p> : null}
    </div>
  );
}

function Row({ column, before, drift, compared, rows }: { column: ColumnProfile; before?: ColumnProfile; drift?: ColumnDrift; compared: boolean; rows: number | null }) {
  const share = column.nulls !== undefined && column.nulls !== null && rows ? column.nulls / rows : undefined;
  return (
    <tr>
      <td><bdi className="mono">{plain(column.name)}</bdi><div className="muted type"><Plain>{column.type}</Plain></div></td>
      <td><Spread column={column} before={before} /></td>
      <td className="num">{share === undefined ? "" : share === 0 ? "0" : t.profile.percent(share)}</td>
      <td className="num">{figure(column.distinct)}</td>
      <td className="small">{column.withheld ? <span className="muted">{t.profile.withheld}</span> : <Range column={column} />}</td>
      {compared ? <td className="small"><Drift drift={drift} now={column} before={before} /></td> : null}
    </tr>
  );
}

function Range({ column }: { column: ColumnProfile }) {
  if (column.min === undefined || column.min === null) return null;
  const show = (value: unknown) => (typeof value === "number" ? figure(value) : plain(String(value)).slice(0, 24));
  return <><span className="nowrap">{show(column.min)} – {show(column.max)}</span>{column.mean !== undefined && column.mean !== null ? <div className="muted nowrap">{t.profile.mean} {figure(column.mean)}{column.std !== undefined && column.std !== null ? ` ± ${figure(column.std)}` : ""}</div> : null}</>;
}

function Drift({ drift, now, before }: { drift?: ColumnDrift; now: ColumnProfile; before?: ColumnProfile }) {
  if (!before) return <span className="badge good">{t.datasets.newColumn}</span>;
  const said = verdict(drift);
  if (!drift || said === "none") return <span className="muted">{t.profile.same}</span>;
  const sizes = [before.n ?? 0, now.n ?? 0];
  return (
    <div className="stack" style={{ gap: 2 }}>
      <span><span className={`badge ${said === "drifted" ? "warn" : ""}`}>{t.profile.verdicts[said]}</span>{drift.type_a !== drift.type_b ? <> <span className="badge info" title={`${plain(drift.type_a)} → ${plain(drift.type_b)}`}>{t.datasets.otherType}</span></> : null}</span>
      {measures(drift) ? <span title={plain(drift.basis ?? "")}>{measures(drift)}</span> : null}
      {measures(drift) && sizes[0] && sizes[1] ? <span className="muted nowrap">n = {count(sizes[0])} → {count(sizes[1])}</span> : null}
      {drift.new?.length ? <span className="muted">{t.profile.newValues} <Plain mono>{drift.new.slice(0, 4).map(String).join(", ")}</Plain></span> : null}
      {drift.gone?.length ? <span className="muted">{t.profile.goneValues} <Plain mono>{drift.gone.slice(0, 4).map(String).join(", ")}</Plain></span> : null}
    </div>
  );
}

const [W, H] = [150, 36];

/** A small histogram: filled as it is now, outlined as it was before. */
export function Spread({ column, before }: { column: ColumnProfile; before?: ColumnProfile }) {
  const both = range(column, before);
  if (column.edges?.length && both) return <Bins now={shares(column, both)} before={before?.edges?.length ? shares(before, both) : undefined} ends={both} unit={column.edges_unit ?? ""} />;
  if (column.top?.length && !column.withheld) return <Values values={listed(column, before)} />;
  return <span className="muted">{column.withheld ? "" : t.value.none}</span>;
}

function Bins({ now, before, ends, unit }: { now: number[]; before?: number[]; ends: [number, number]; unit: string }) {
  const top = Math.max(...now, ...(before ?? [0])) || 1;
  const width = W / now.length;
  const step = (all: number[]) => all.map((share, n) => `${n ? "L" : "M"}${(n * width).toFixed(1)},${(H - (share / top) * (H - 2)).toFixed(1)}h${width.toFixed(1)}`).join("");
  const said = unit ? t.profile.binsOfTimes : t.profile.bins(figure(ends[0]), figure(ends[1]));
  return (
    <svg className="histo" width={W} height={H} viewBox={`0 0 ${W} ${H}`} role="img" aria-label={said}>
      <title>{said}</title>
      {now.map((share, n) => <rect key={n} x={n * width + 0.5} y={H - (share / top) * (H - 2)} width={Math.max(0.5, width - 1)} height={(share / top) * (H - 2)} className="now-bar" />)}
      {before ? <path d={step(before)} className="before-line" /> : null}
      <line x1="0" x2={W} y1={H - 0.5} y2={H - 0.5} className="floor" />
    </svg>
  );
}

function Values({ values }: { values: { value: string; now: number; before?: number }[] }) {
  return (
    <ul className="values" aria-label={t.profile.values}>
      {values.slice(0, 4).map((one) => (
        <li key={one.value} title={t.profile.share(plain(one.value).slice(0, 80), one.now, one.before)}>
          <bdi className="cut">{plain(one.value).slice(0, 40) || t.profile.emptyText}</bdi>
          <span className="share" aria-hidden="true"><i style={{ width: `${one.now * 100}%` }} />{one.before !== undefined ? <b style={{ left: `${one.before * 100}%` }} /> : null}</span>
          <span className="muted num">{t.profile.percent(one.now)}</span>
        </li>
      ))}
    </ul>
  );
}
