import { useQuery } from "@tanstack/react-query";
import { Check } from "lucide-react";
import { Head } from "../app/head";
import { LIVE, pace } from "../app/live";
import { linkOf, links, to } from "../app/route";
import { useOverview } from "../app/shell";
import { api, type RunSummary, type Schemas } from "../api/client";
import { Empty, Loaded, Panel, Plain, RunLink, State, Tile, Time, took } from "../kit/parts";
import { count, t } from "../text";

export function Home() {
  const seen = useOverview();
  return (
    <div className="page">
      <Head crumbs={[{ label: t.home.title }]} />
      <div className="page-head"><div className="stack"><h1>{t.home.title}</h1><p className="muted">{t.home.lead}</p></div></div>
      <Loaded of={seen} lines={10} height={28}>{(data) => (data.runs + data.models + data.datasets === 0 ? <Nothing /> : <Seen data={data} />)}</Loaded>
    </div>
  );
}

function Nothing() {
  return <section className="card"><Empty title={t.home.empty} code={t.home.emptyCode}>{t.home.emptyHow}</Empty></section>;
}

function Seen({ data }: { data: Schemas["Overview"] }) {
  const top = Math.max(1, ...data.days);
  return (
    <>
      <div className="stats">
        <Stat n={data.runs} label={t.home.runs} href={to("/runs")} more={t.home.running(data.running)} under={t.home.deployments(data.deployments)} />
        <Stat n={data.models} label={t.home.models} href={to("/models")} />
        <Stat n={data.datasets} label={t.home.datasets} href={to("/datasets")} />
        <Stat n={data.live} label={t.home.live} href={to("/deployments")} />
      </div>
      <div className="grid">
        <div className="s8 stackgrid">
          {data.models ? <Attention /> : null}
          <Panel title={t.home.recent} aside={<a href={to("/runs")}>{t.home.all}</a>} flush><RunTable runs={data.recent} /></Panel>
          <Panel title={t.home.failed} flush>{data.failed.length ? <RunTable runs={data.failed} /> : <p className="muted" style={{ padding: "0 16px 12px" }}>{t.home.fine}</p>}</Panel>
        </div>
        <div className="s4 stackgrid">
          <Panel title={t.home.days}>
            <div className="bars" role="img" aria-label={`${t.home.days}: ${data.days.join(", ")}`}>{data.days.map((n, i) => <i key={i} className={n ? "" : "zero"} style={{ height: `${(n / top) * 100}%` }} title={count(n)} />)}</div>
          </Panel>
          <Panel title={t.home.now} flush>{data.now.length ? <RunTable runs={data.now} brief /> : <p className="muted" style={{ padding: "0 16px 12px" }}>{t.home.none}</p>}</Panel>
          <Panel title={t.home.moves}>
            {data.moves.length ? (
              <ul className="timeline">
                {data.moves.map((move) => (
                  <li key={`${move.name} ${move.alias} ${move.at}`}>
                    <span className="mark" aria-hidden="true"><Check /></span>
                    <div>
                      <p><a href={links.model(move.name)}><strong><Plain>{t.home.moved(move.alias, move.name, move.number)}</Plain></strong></a></p>
                      <p className="muted">{move.actor ? `${move.actor} · ` : ""}<Time at={move.at} />{move.reason ? <><br /><Plain>{move.reason}</Plain></> : null}</p>
                    </div>
                  </li>
                ))}
              </ul>
            ) : <p className="muted">{t.home.nomoves}</p>}
          </Panel>
        </div>
      </div>
    </>
  );
}

const TONE: Record<string, string> = { stale: "warn", withdrawn: "bad", conflict: "bad" };

/** Models whose inputs moved on, that were made from what was withdrawn, or behind which something contradicts itself or is not known. */
function Attention() {
  const found = useQuery({ queryKey: ["attention"], queryFn: ({ signal }) => api.attention(signal), staleTime: 10_000, meta: LIVE, refetchInterval: () => pace(20_000) });
  return (
    <Panel title={t.home.attention} aside={found.data ? t.home.lookedAt(found.data.looked) : null}>
      <Loaded of={found} lines={4}>
        {(data) => data.versions.length ? (
          <ul className="stack" style={{ gap: 12 }}>
            {data.versions.slice(0, 10).map((one) => (
              <li key={one.ref} className="stack" style={{ gap: 3 }}>
                <div className="row wrap"><Tile kind="model" /><a href={links.model(one.name, { v: one.number })}><strong><Plain>{one.ref}</Plain></strong></a>{one.aliases.map((alias) => <span key={alias} className="badge good"><Plain>{alias}</Plain></span>)}{one.targets.length ? <span className="badge info"><Plain>{t.home.liveAt(one.targets.join(", "))}</Plain></span> : null}</div>
                {one.marks.slice(0, 3).map((mark) => <p key={mark.kind + mark.said + mark.ref} className="small"><span className={`badge ${TONE[mark.kind] ?? ""}`}>{t.home.marks[mark.kind] ?? mark.kind}</span> {mark.ref ? <a href={linkOf(mark.ref)}><Plain>{mark.said}</Plain></a> : <Plain>{mark.said}</Plain>}</p>)}
                {one.marks.length > 3 ? <p className="muted small">{t.runs.more(one.marks.length - 3)}</p> : null}
                {one.gaps ? <p className="small"><span className="badge">{t.home.marks.gap}</span> <a href={links.lineage(one.ref)}>{t.home.gaps(one.gaps)}</a></p> : null}
              </li>
            ))}
            {data.versions.length > 10 ? <li className="muted">{t.runs.more(data.versions.length - 10)}</li> : null}
          </ul>
        ) : <p className="muted">{t.home.attentionFine}</p>}
      </Loaded>
    </Panel>
  );
}

function Stat({ n, label, href, more, under }: { n: number; label: string; href: string; more?: string; under?: string }) {
  return (
    <a className="card stat" href={href}>
      <div className="muted">{label}</div>
      <div className="row spread"><span className="n">{count(n)}</span>{more ? <span className="muted">{more}</span> : null}</div>
      {under ? <div className="muted small">{under}</div> : null}
    </a>
  );
}

export function RunTable({ runs, brief }: { runs: RunSummary[]; brief?: boolean }) {
  return (
    <div className="tablewrap" tabIndex={0} role="region" aria-label={t.nav.runs}>
      <table className="list">
        <thead><tr><th>{t.runs.name}</th><th>{t.runs.state}</th>{brief ? null : <><th>{t.runs.started}</th><th>{t.runs.duration}</th><th>{t.runs.actor}</th></>}</tr></thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.run_id}>
              <td className="cut"><RunLink run={run} /></td>
              <td><State state={run.state} /></td>
              {brief ? null : <><td><Time at={run.started_at} /></td><td className="nowrap">{took(run)}</td><td className="cut"><Plain cut>{run.actor}</Plain></td></>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
