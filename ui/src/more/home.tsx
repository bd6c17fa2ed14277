import { Check } from "lucide-react";
import { Head } from "../app/head";
import { links, to } from "../app/route";
import { useOverview } from "../app/shell";
import type { RunSummary, Schemas } from "../api/client";
import { Empty, Loaded, Panel, Plain, RunLink, State, Time, took } from "../kit/parts";
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
        <Stat n={data.runs} label={t.home.runs} href={to("/runs")} more={t.home.running(data.running)} />
        <Stat n={data.models} label={t.home.models} href={to("/models")} />
        <Stat n={data.datasets} label={t.home.datasets} href={to("/datasets")} />
        <Stat n={data.live} label={t.home.live} href={to("/deployments")} />
      </div>
      <div className="grid">
        <div className="s8 stackgrid">
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

function Stat({ n, label, href, more }: { n: number; label: string; href: string; more?: string }) {
  return (
    <a className="card stat" href={href}>
      <div className="muted">{label}</div>
      <div className="row spread"><span className="n">{count(n)}</span>{more ? <span className="muted">{more}</span> : null}</div>
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
