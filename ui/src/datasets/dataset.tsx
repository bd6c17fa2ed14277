import { useQuery } from "@tanstack/react-query";
import { ChevronDown, ChevronRight, Share2 } from "lucide-react";
import { Fragment, useState } from "react";
import { api, type Schemas } from "../api/client";
import { Head } from "../app/head";
import { links, to, usePlace } from "../app/route";
import { figure, short, size } from "../kit/format";
import { Empty, Loaded, Panel, Plain, Tile, Time } from "../kit/parts";
import { RunTable } from "../more/home";
import { t } from "../text";
import { ColumnLineage } from "./columns";
import { References, VersionFacts } from "./facts";
import { Impact } from "./impact";
import { ProfilePanel } from "./profile";
import { type Col, fates, type Fate } from "./schema";

const WORDS: Record<Fate, [string, string]> = { new: [t.datasets.newColumn, "good"], gone: [t.datasets.goneColumn, "bad"], type: [t.datasets.otherType, "warn"], values: [t.datasets.otherValues, "info"], same: [t.datasets.sameColumn, ""], unknown: [t.datasets.unknownColumn, ""] };

/** A table or file: its versions, its columns and what became of them, who made it and who reads it. */
export function Dataset() {
  const { query } = usePlace();
  const ref = query.get("ref") ?? "";
  const shown = useQuery({ queryKey: ["show", ref], queryFn: ({ signal }) => api.show(ref, signal), enabled: ref !== "" });
  const series = useQuery({ queryKey: ["artifact", ref], queryFn: ({ signal }) => api.artifact(ref, signal), enabled: ref !== "" });
  const version = shown.data?.type === "version" ? shown.data : undefined;
  const name = series.data?.name ?? ref;
  const versions = series.data?.versions ?? [];
  const here = versions.find((one) => one.ref === version?.ref);
  const before = versions.find((one) => here !== undefined && one.number < here.number && one.columns);
  const columns = (here?.columns ?? []) as unknown as Col[];
  return (
    <div className="page">
      <Head crumbs={[{ label: t.datasets.title, href: to("/datasets") }, { label: name }]} actions={version ? <><a className="button hide-small" href={links.lineage(version.ref, { dir: "down" })}>{t.datasets.impact}</a><a className="button hide-small" href={links.lineage(version.ref)}><Share2 size={15} aria-hidden="true" />{t.run.lineage}</a></> : null} />
      {!ref ? <Empty title={t.error.missing} /> : (
        <Loaded of={shown} lines={9} height={26}>
          {(data) => data.type !== "version" ? <Empty title={t.error.missing}><a href={links.run(data.run_id)}>{ref}</a></Empty> : (
            <>
              <div className="page-head"><div className="stack"><div className="row wrap"><Tile kind={data.kind} /><h1><Plain>{name}</Plain></h1><span className="badge">{t.datasets.version(data.number)}</span></div><p className="muted">{data.kind} · {size(data.size)} · <Time at={data.recorded_at} /></p></div></div>
              {data.deleted_at ? <p className="note warn">{t.datasets.deleted}</p> : null}
              {data.origin_unknown ? <p className="note warn">{t.lineage.unknown}. {t.datasets.noproducers}</p> : null}
              <div className="grid">
                <div className="s8 stackgrid">
                  <Panel title={t.datasets.versions} flush>
                    <Loaded of={series} lines={4}>{() => (
                      <div className="tablewrap" tabIndex={0} role="region" aria-label={t.datasets.versions}><table className="list">
                        <thead><tr><th>{t.models.version}</th><th>{t.datasets.recorded}</th><th>{t.datasets.digest}</th><th className="num">{t.datasets.size}</th><th className="num">{t.datasets.rows}</th><th>{t.datasets.made}</th><th className="num">{t.datasets.used}</th></tr></thead>
                        <tbody>{versions.map((one) => (
                          <tr key={one.number} className={one.ref === data.ref ? "picked" : ""}>
                            <td><a href={links.artifact(one.ref)} aria-current={one.ref === data.ref ? "true" : undefined}>v{one.number}</a> {one.names.map((known) => <span key={known} className="badge"><Plain>{known}</Plain></span>)}{one.deleted_at ? <span className="badge bad">{t.lineage.deleted}</span> : null}</td>
                            <td><Time at={one.recorded_at} /></td><td className="mono">{one.digest ? short(one.digest) : <span className="muted" title={one.reason}>{t.value.unknown}</span>}</td><td className="num nowrap">{size(one.size)}</td><td className="num">{figure(one.rows)}</td>
                            <td>{one.made_by.slice(0, 2).map((id) => <a key={id} className="mono" href={links.run(id)}>{id.slice(0, 8)} </a>)}</td><td className="num">{one.used}</td>
                          </tr>
                        ))}</tbody>
                      </table></div>
                    )}</Loaded>
                  </Panel>
                  <Schema reference={data.ref} columns={columns} before={before} />
                  <ProfilePanel reference={data.ref} others={versions} />
                  <Panel title={t.datasets.producers} flush>{data.made_by.length ? <RunTable runs={data.made_by} /> : <p className="muted pad">{t.datasets.noproducers}</p>}</Panel>
                  <Panel title={t.datasets.consumers} flush aside={<a href={links.lineage(data.ref, { dir: "down" })}>{t.datasets.impact}</a>}>{data.used_by.length ? <RunTable runs={data.used_by} /> : <p className="muted pad">{t.datasets.noconsumers}</p>}</Panel>
                </div>
                <div className="s4 stackgrid">
                  <VersionFacts version={data} />
                  <Impact reference={data.ref} />
                  <References version={data} />
                  {data.members.length ? <Panel title={t.datasets.members} aside={data.members.length}><ul className="stack">{(data.members as { path?: unknown; size?: unknown }[]).slice(0, 50).map((member) => <li key={String(member.path)} className="row spread"><span className="mono cut"><Plain cut>{String(member.path)}</Plain></span><span className="muted nowrap">{size(Number(member.size))}</span></li>)}</ul></Panel> : null}
                </div>
              </div>
            </>
          )}
        </Loaded>
      )}
    </div>
  );
}

/** The columns and what became of them; each opens to where it comes from and goes to. */
function Schema({ reference, columns, before }: { reference: string; columns: Col[]; before?: Schemas["ArtifactVersion"] }) {
  const [open, setOpen] = useState<string>();
  const all = fates(columns, before?.columns as unknown as Col[] | undefined);
  const changed = all.filter(({ fate }) => fate && fate !== "same" && fate !== "unknown").length;
  return (
    <Panel title={t.datasets.schema} aside={columns.length ? `${columns.length}${before ? ` · ${t.datasets.changesOf(changed, before.number)}` : ""}` : null} flush>
      {columns.length ? (
        <div className="tablewrap" tabIndex={0} role="region" aria-label={t.datasets.schema}><table className="list">
          <thead><tr><th>{t.datasets.column}</th><th>{t.datasets.type}</th>{before ? <th>{t.datasets.changes}</th> : null}</tr></thead>
          <tbody>
            {all.slice(0, 1000).map(({ column, fate }) => (
              <Fragment key={column.name}>
                <tr>
                  <td>{fate === "gone" ? <Plain mono>{column.name}</Plain> : <button type="button" className="linkish mono" aria-expanded={open === column.name} title={t.columns.open} onClick={() => setOpen(open === column.name ? undefined : column.name)}>{open === column.name ? <ChevronDown size={13} aria-hidden="true" /> : <ChevronRight size={13} aria-hidden="true" />} <Plain>{column.name}</Plain></button>}</td>
                  <td className="mono muted"><Plain>{column.type}</Plain></td>
                  {before ? <td>{fate && fate !== "same" ? <span className={`badge ${WORDS[fate][1]}`}>{WORDS[fate][0]}</span> : <span className="muted">{t.datasets.sameColumn}</span>}</td> : null}
                </tr>
                {open === column.name ? <tr className="opened"><td colSpan={3}><ColumnLineage reference={reference} column={column.name} /></td></tr> : null}
              </Fragment>
            ))}
          </tbody>
        </table></div>
      ) : <p className="muted pad">{t.datasets.noschema}</p>}
    </Panel>
  );
}
