import type { VersionDetail } from "../api/client";
import { links, linkOf } from "../app/route";
import { short, size } from "../kit/format";
import { Panel, Plain, Time } from "../kit/parts";
import { t } from "../text";

export function VersionFacts({ version }: { version: VersionDetail }) {
  const facets = Object.entries(version.facets).filter(([name]) => name !== "lineal.schema/1" && name !== "lineal.profile/1");
  return (
    <Panel title={t.lineage.facts}>
      <dl className="facts">
        <dt>{t.datasets.kind}</dt><dd>{version.kind}</dd>
        <dt>{t.datasets.digest}</dt><dd className="mono" title={version.digest ?? ""}>{version.digest ? short(version.digest) : t.value.unknown}</dd>
        <dt>{t.datasets.level}</dt><dd><span title={t.level[version.level]}>{version.level}: {t.level[version.level]}</span></dd>
        {version.reason ? <><dt>{t.datasets.reason}</dt><dd><Plain>{version.reason}</Plain></dd></> : null}
        <dt>{t.datasets.size}</dt><dd>{size(version.size)}</dd>
        <dt>{t.datasets.recorded}</dt><dd><Time at={version.recorded_at} /></dd>
        <dt>{t.datasets.location}</dt><dd className="mono" style={{ fontSize: 12.5 }}><Plain>{version.uri}</Plain></dd>
        {version.names.length ? <><dt>{t.datasets.aliases}</dt><dd>{version.names.map((name) => <a key={name} href={links.model(name.split("@").slice(0, -1).join("@"))}><Plain>{name}</Plain> </a>)}</dd></> : null}
        {Object.entries(version.tags).map(([key, value]) => [<dt key={key}><Plain>{key}</Plain></dt>, <dd key={`${key}=`}><Plain>{value}</Plain></dd>])}
        {facets.flatMap(([name, body]) => Object.entries(typeof body === "object" && body !== null ? body : {}).filter(([, value]) => typeof value !== "object").map(([key, value]) => [<dt key={name + key}>{key}</dt>, <dd key={`${name + key}=`}><Plain>{String(value)}</Plain></dd>]))}
      </dl>
      {version.candidates.length ? (
        <div className="note warn" style={{ marginTop: 12 }}><strong>{t.datasets.candidates}</strong><p className="muted">{t.datasets.candidatesLead}</p><ul>{version.candidates.map((ref) => <li key={ref}><a href={linkOf(ref)}><Plain>{ref}</Plain></a></li>)}</ul></div>
      ) : null}
    </Panel>
  );
}

export function References({ version }: { version: VersionDetail }) {
  if (!version.references.length) return null;
  return (
    <Panel title={t.datasets.references}>
      <ul className="stack">
        {version.references.map((one) => <li key={one.scheme + one.value}><div className="row spread"><span className="badge">{one.scheme}</span><span className="state small"><span className={`dot ${one.level === "native" || one.level === "content" ? "good" : "warn"}`} aria-hidden="true" />{t.level[one.level] ?? one.level}</span></div><div className="mono" style={{ fontSize: 12, overflowWrap: "anywhere" }}><Plain>{one.value}</Plain></div></li>)}
      </ul>
    </Panel>
  );
}
