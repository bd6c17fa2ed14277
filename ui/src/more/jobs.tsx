import { useQuery } from "@tanstack/react-query";
import { api, type RunSummary } from "../api/client";
import { Head } from "../app/head";
import { LIVE, pace } from "../app/live";
import { links } from "../app/route";
import { duration } from "../kit/format";
import { Empty, Loaded, Plain, State, Tile, Time, tone } from "../kit/parts";
import { count, t } from "../text";

function usual(runs: RunSummary[]): string {
  const all = runs.flatMap((run) => (run.ended_at ? [run.ended_at - run.started_at] : [])).sort((a, b) => a - b);
  const middle = all[Math.floor(all.length / 2)];
  return middle === undefined ? "" : duration(middle);
}

/** The states of the newest runs in words. */
function told(runs: RunSummary[]): string {
  const counts = new Map<string, number>();
  for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
  return `${t.jobs.recent}: ${[...counts].map(([state, n]) => `${n} ${state}`).join(", ")}`;
}

export function Jobs() {
  const found = useQuery({ queryKey: ["jobs"], queryFn: ({ signal }) => api.jobs(signal), meta: LIVE, refetchInterval: () => pace(10_000) });
  return (
    <div className="page">
      <Head crumbs={[{ label: t.jobs.title }]} />
      <div className="page-head"><div className="stack"><h1>{t.jobs.title}</h1><p className="muted">{t.jobs.lead}</p></div></div>
      <Loaded of={found} lines={8} height={30}>
        {({ jobs }) => jobs.length ? (
          <section className="card flush"><div className="tablewrap" tabIndex={0} role="region" aria-label={t.jobs.title}><table className="list">
            <thead><tr><th>{t.jobs.job}</th><th>{t.jobs.last}</th><th>{t.jobs.recent}</th><th className="num">{t.jobs.runs}</th><th className="num">{t.jobs.failed}</th><th>{t.jobs.duration}</th></tr></thead>
            <tbody>{jobs.map((job) => (
              <tr key={job.namespace + job.name}>
                <td><div className="row"><Tile kind="job" /><a className="cut" href={links.job(job.name)}><Plain cut>{job.name}</Plain></a></div></td>
                <td className="nowrap">{job.last[0] ? <><State state={job.last[0].state} /> <span className="muted"><Time at={job.last_at} /></span></> : null}</td>
                <td><a className="minibars" href={links.job(job.name)} aria-label={told(job.last)}>{[...job.last].reverse().map((run) => <i key={run.run_id} className={tone(run.state)} title={`${run.run_id.slice(0, 8)}: ${run.state}`} />)}</a></td>
                <td className="num">{count(job.runs)}</td><td className={`num ${job.failed ? "down" : ""}`}>{count(job.failed)}</td><td className="nowrap">{usual(job.last)}</td>
              </tr>
            ))}</tbody>
          </table></div></section>
        ) : <section className="card"><Empty title={t.jobs.empty} code={t.home.emptyCode}>{t.jobs.emptyHow}</Empty></section>}
      </Loaded>
    </div>
  );
}
