import { useQuery } from "@tanstack/react-query";
import { Check, GitCompareArrows, Minus } from "lucide-react";
import { Suspense, useState } from "react";
import { api, type Schemas } from "../api/client";
import { Head } from "../app/head";
import { LIVE, pace } from "../app/live";
import { change, go, links, to, usePlace } from "../app/route";
import { at, figure, plain } from "../kit/format";
import { later } from "../kit/later";
import { varied } from "../kit/series";
import { DiffList, Empty, Loaded, Panel, Plain, Problem, Skeleton, Time } from "../kit/parts";
import { t } from "../text";
import { allChanges } from "./changes";
import { Origin } from "./origin";

const Curves = later(async () => (await import("./curves")).default);
void Curves.fetch().catch(() => undefined);
type Version = Schemas["ModelVersion"];

export function Model() {
  const { query } = usePlace();
  const name = query.get("name") ?? "";
  const found = useQuery({ queryKey: ["model", name], queryFn: ({ signal }) => api.model(name, signal), enabled: name !== "", meta: LIVE, refetchInterval: () => pace(10_000) });
  const tab = query.get("tab") ?? "versions";
  const live = found.data?.versions.flatMap((version) => version.targets).length ?? 0;
  const champion = found.data ? (found.data.versions.find((version) => version.aliases.length) ?? found.data.versions[0]) : undefined;
  const text = found.data?.versions.map((version) => version.tags["mlflow.note.content"] ?? version.tags.description).find(Boolean);
  return (
    <div className="page">
      <Head crumbs={[{ label: t.models.title, href: to("/models") }, { label: name }]} actions={found.data && found.data.versions.length > 1 ? <a className="button hide-small" href={links.compare(found.data.versions[1]?.ref ?? "", found.data.versions[0]?.ref ?? "")}><GitCompareArrows size={15} aria-hidden="true" />{t.nav.compare}</a> : null} />
      <div className="page-head">
        <div className="stack"><h1><Plain>{name}</Plain></h1><p className="muted">{found.data ? t.models.sub(found.data.versions.length, live) : " "}</p></div>
        <nav className="tabs" aria-label={name}>
          {([["versions", t.models.versions], ["lineage", t.nav.lineage], ["card", t.models.card]] as const).map(([key, label]) =>
            key === "card" && !text ? null : <a key={key} href={key === "lineage" ? links.lineage(champion?.ref ?? name) : to("/model", { name, tab: key === "versions" ? "" : key })} aria-current={key === tab ? "page" : undefined}>{label}</a>,
          )}
        </nav>
      </div>
      {/* The rail of stages has its place here. */}
      {!name ? <Empty title={t.error.missing} /> : <Loaded of={found} lines={10} height={28}>{(data) => (tab === "card" && text ? <Panel title={t.models.card}><Suspense fallback={<Skeleton />}><Notes text={text} /></Suspense></Panel> : <Whole name={name} versions={data.versions} />)}</Loaded>}
    </div>
  );
}

const Notes = later(async () => (await import("../kit/markdown")).Markdown);

function Whole({ name, versions }: { name: string; versions: Version[] }) {
  const { query } = usePlace();
  const shown = versions.find((version) => String(version.number) === query.get("v")) ?? versions.find((version) => version.aliases.length) ?? versions[0];
  if (!shown) return null;
  const before = versions.find((version) => version.number < shown.number);
  return (
    <div className="grid">
      <div className="s8 stackgrid">
        <Versions versions={versions} shown={shown} />
        <Panel title={t.models.from(`v${shown.number}`)} aside={<a href={links.lineage(shown.ref)}>{t.models.open}</a>}><Origin reference={shown.ref} targets={shown.targets} /></Panel>
        <Suspense fallback={<Skeleton lines={2} height={120} />}><Curves versions={[shown, ...versions.filter((version) => version !== shown)].slice(0, 4)} /></Suspense>
      </div>
      <div className="s4 stackgrid">
        {before ? <Against a={before} b={shown} /> : <Panel title={t.models.versions}><p className="muted">{t.models.first}</p></Panel>}
        <History name={name} />
        <Health reference={shown.ref} />
      </div>
    </div>
  );
}

function Versions({ versions, shown }: { versions: Version[]; shown: Version }) {
  const [picked, setPicked] = useState<number[]>([]);
  const keys = varied(versions.map((version) => version.run?.metrics ?? {})).slice(0, 3);
  const pick = (number: number) => setPicked((now) => (now.includes(number) ? now.filter((one) => one !== number) : [...now.slice(-1), number]));
  const [a, b] = [...picked].sort((x, y) => x - y).map((number) => versions.find((version) => version.number === number)?.ref ?? "");
  return (
    <Panel title={t.models.versions} flush aside={picked.length === 2 ? <button type="button" className="button small primary" onClick={() => go(links.compare(a ?? "", b ?? ""))}>{t.models.compareTwo}</button> : t.models.pick}>
      <div className="tablewrap" tabIndex={0} role="region" aria-label={t.models.versions}>
        <table className="list">
          <thead><tr><th><span className="visually-hidden">{t.models.pick}</span></th><th>{t.models.version}</th><th>{t.models.alias}</th>{keys.map((key) => <th key={key} className="num"><Plain>{key}</Plain></th>)}<th>{t.models.commit}</th><th>{t.models.by}</th><th>{t.models.registered}</th></tr></thead>
          <tbody>
            {versions.map((version) => (
              <tr key={version.number} className={version === shown ? "picked" : ""}>
                <td><input type="checkbox" aria-label={t.runs.select(version.ref)} checked={picked.includes(version.number)} onChange={() => pick(version.number)} /></td>
                <td className="nowrap"><button type="button" className="linkish" aria-current={version === shown ? "true" : undefined} onClick={() => change({ v: version.number })}>v{version.number}</button> <a className="outward" href={to("/version", { ref: version.ref })} aria-label={`${t.lineage.openPage} ${version.ref}`}>↗</a></td>
                <td><div className="row wrap" style={{ gap: 4 }}>{version.aliases.map((alias) => <span key={alias} className="badge good"><Plain>{alias}</Plain></span>)}{version.targets.map((target) => <span key={target} className="badge info"><Plain>{target}</Plain></span>)}{version.deleted_at ? <span className="badge bad">{t.lineage.deleted}</span> : null}</div></td>
                {keys.map((key) => <td key={key} className="num">{figure(at(version.run?.metrics, key))}</td>)}
                <td className="mono">{plain(version.commit).slice(0, 7)}{version.dirty ? "+" : ""}</td>
                <td className="cut"><Plain cut>{version.actor}</Plain></td>
                <td><Time at={version.recorded_at} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Against({ a, b }: { a: Version; b: Version }) {
  const found = useQuery({ queryKey: ["diff", a.ref, b.ref], queryFn: ({ signal }) => api.diff(a.ref, b.ref, signal), staleTime: 60_000 });
  const all = found.data ? allChanges(found.data.change) : [];
  return (
    <Panel title={t.models.against(`v${b.number}`, `v${a.number}`)} aside={found.data ? <a href={links.compare(a.ref, b.ref)}>{t.models.differences(all.length)}</a> : null}>
      {found.error ? <Problem error={found.error} retry={() => void found.refetch()} /> : !found.data ? <Skeleton lines={4} /> : all.length ? <DiffList changes={all} most={8} /> : <p className="muted">{t.models.same}</p>}
    </Panel>
  );
}

export function History({ name }: { name: string }) {
  const found = useQuery({ queryKey: ["aliases", name], queryFn: ({ signal }) => api.aliases(name, true, signal), meta: LIVE, refetchInterval: () => pace(10_000) });
  return (
    <Panel title={t.models.history} aside={t.models.append}>
      <Loaded of={found} lines={4}>
        {({ aliases }) =>
          aliases.length ? (
            <ul className="timeline">
              {aliases.flatMap((alias) => [{ alias, at: alias.recorded_at, gone: false }, ...(alias.retracted_at && !aliases.some((other) => other.alias === alias.alias && other.recorded_at === alias.retracted_at) ? [{ alias, at: alias.retracted_at, gone: true }] : [])]).sort((x, y) => y.at - x.at).slice(0, 30).map(({ alias, at, gone }) => (
                <li key={`${alias.alias} ${alias.revision} ${gone}`}>
                  <span className="mark" aria-hidden="true" style={gone ? { background: "var(--muted)" } : alias.retracted_at ? undefined : { background: "var(--good)" }}>{gone ? <Minus /> : <Check />}</span>
                  <div>
                    <p><strong><Plain>{gone ? t.models.retired(alias.alias) : t.models.moved(alias.alias, alias.number)}</Plain></strong></p>
                    <p className="muted">{gone ? null : <>{alias.actor ? <Plain>{`${alias.actor} · `}</Plain> : null}</>}<Time at={at} />{!gone && alias.reason ? <><br /><Plain>{alias.reason}</Plain></> : null}</p>
                  </div>
                </li>
              ))}
            </ul>
          ) : <p className="muted">{t.models.nohistory}</p>
        }
      </Loaded>
    </Panel>
  );
}

export function Health({ reference }: { reference: string }) {
  const found = useQuery({ queryKey: ["health", reference], queryFn: ({ signal }) => api.health(reference, signal), staleTime: 30_000 });
  return (
    <Panel title={t.models.health} aside={found.data ? `${Math.round(found.data.percent)} %` : null}>
      <Loaded of={found} lines={5}>
        {(data) => (
          <div className="stack">
            {data.checks.filter((check) => check.total).map((check) => (
              <details key={check.name}>
                <summary className="row spread" title={plain(check.means)}><span className="row"><span className={`dot ${check.known === check.total ? "good" : "warn"}`} aria-hidden="true" />{check.name}</span><span className="muted">{check.known} / {check.total}</span></summary>
                {check.missing.length ? <ul className="stack missing">{check.missing.slice(0, 20).map((line) => <li key={line}><Plain>{line}</Plain></li>)}</ul> : <p className="muted missing">{t.models.whole}</p>}
              </details>
            ))}
          </div>
        )}
      </Loaded>
    </Panel>
  );
}
