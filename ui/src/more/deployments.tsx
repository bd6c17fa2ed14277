import { useQuery } from "@tanstack/react-query";
import { api, type Schemas } from "../api/client";
import { Head } from "../app/head";
import { LIVE, pace } from "../app/live";
import { linkOf, links, to } from "../app/route";
import { Empty, Loaded, Panel, Plain, Tile, Time } from "../kit/parts";
import { t } from "../text";

export function Deployments() {
  const found = useQuery({ queryKey: ["deployments"], queryFn: ({ signal }) => api.deployments(signal), meta: LIVE, refetchInterval: () => pace(10_000) });
  return (
    <div className="page">
      <Head crumbs={[{ label: t.deployments.title }]} />
      <div className="page-head"><div className="stack"><h1>{t.deployments.title}</h1><p className="muted">{t.deployments.lead}</p></div></div>
      <Loaded of={found} lines={6} height={30}>
        {({ deployments }) => {
          if (!deployments.length) return <section className="card"><Empty title={t.deployments.empty} code={t.deployments.emptyCode}>{t.deployments.emptyHow}</Empty></section>;
          const live = deployments.filter((one) => one.state === "running");
          const past = deployments.filter((one) => one.state !== "running");
          return (
            <>
              <Panel title={t.deployments.now} flush>{live.length ? <Rows rows={live} name={t.deployments.now} /> : <p className="muted pad">{t.deployments.nothingLive}</p>}</Panel>
              {past.length ? <Panel title={t.deployments.history} flush><Rows rows={past} name={t.deployments.history} /></Panel> : null}
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function Rows({ rows, name }: { rows: Schemas["DeploymentOut"][]; name: string }) {
  return (
    <div className="tablewrap" tabIndex={0} role="region" aria-label={name}><table className="list even">
      <thead><tr><th>{t.deployments.target}</th><th>{t.deployments.version}</th><th>{t.deployments.since}</th><th>{t.deployments.until}</th><th>{t.deployments.by}</th><th>{t.deployments.url}</th></tr></thead>
      <tbody>{rows.map((row) => (
        <tr key={row.run_id}>
          <td><div className="row"><Tile kind="deployment" /><a href={links.run(row.run_id)}><Plain>{row.target}</Plain></a></div></td>
          <td>{row.version ? <a href={row.names.length ? to("/version", { ref: row.version }) : linkOf(row.version)}><Plain>{row.version}</Plain></a> : <span className="muted">{t.value.unknown}</span>} {row.version ? <a className="muted" href={links.lineage(row.version)} aria-label={`${t.nav.lineage} ${row.version}`}>{t.nav.lineage}</a> : null}</td>
          <td><Time at={row.started_at} /></td><td>{row.ended_at ? <Time at={row.ended_at} /> : <span className="badge good">{t.deployments.live}</span>}</td><td className="cut"><Plain cut>{row.actor}</Plain></td>
          <td className="cut">{/^https?:\/\//.test(row.url) ? <a href={row.url} rel="noreferrer noopener" target="_blank"><Plain>{row.url}</Plain></a> : <Plain>{row.url}</Plain>}</td>
        </tr>
      ))}</tbody>
    </table></div>
  );
}
