import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { Head } from "../app/head";
import { LIVE, pace } from "../app/live";
import { links } from "../app/route";
import { figure } from "../kit/format";
import { Empty, Loaded, Plain, Tile, Time } from "../kit/parts";
import { t } from "../text";

export function Models() {
  const found = useQuery({ queryKey: ["models"], queryFn: ({ signal }) => api.models(signal), meta: LIVE, refetchInterval: () => pace(10_000) });
  const [text, setText] = useState("");
  return (
    <div className="page">
      <Head crumbs={[{ label: t.models.title }]} />
      <div className="page-head">
        <div className="stack"><h1>{t.models.title}</h1><p className="muted">{t.models.lead}</p></div>
        <input className="input" style={{ maxWidth: 260 }} placeholder={t.datasets.filter} aria-label={t.datasets.filter} value={text} onChange={(event) => setText(event.target.value)} />
      </div>
      <Loaded of={found} lines={8} height={30}>
        {({ models }) => {
          const shown = models.filter((model) => model.name.toLowerCase().includes(text.toLowerCase()));
          if (!shown.length) return <section className="card"><Empty title={models.length ? t.datasets.empty : t.models.empty} code={models.length ? undefined : t.models.emptyCode}>{models.length ? undefined : t.models.emptyHow}</Empty></section>;
          return (
            <section className="card flush"><div className="tablewrap" tabIndex={0} role="region" aria-label={t.models.title}>
              <table className="list">
                <thead><tr><th>{t.models.name}</th><th>{t.models.newest}</th><th>{t.models.aliases}</th><th>{t.models.live}</th><th>{t.models.metrics}</th><th>{t.models.by}</th><th>{t.models.registered}</th></tr></thead>
                <tbody>
                  {shown.map((model) => (
                    <tr key={model.name}>
                      <td><div className="row"><Tile kind={model.kind} /><a href={links.model(model.name)} style={{ fontWeight: 560 }}><Plain>{model.name}</Plain></a></div></td>
                      <td className="nowrap">v{model.newest.split("@").at(-1)} <span className="muted">{t.models.ofAll(model.versions)}</span></td>
                      <td><div className="row wrap" style={{ gap: 4 }}>{Object.entries(model.aliases).map(([alias, number]) => <span key={alias} className="badge good"><Plain>{alias}</Plain> v{number}</span>)}</div></td>
                      <td><div className="row wrap" style={{ gap: 4 }}>{model.targets.map((target) => <span key={target} className="badge info"><Plain>{target}</Plain></span>)}</div></td>
                      <td>{Object.entries(model.run?.metrics ?? {}).slice(0, 3).map(([key, value]) => <span key={key} className="metricof"><span className="muted"><Plain cut>{key}</Plain></span> {figure(value)}</span>)}</td>
                      <td className="cut"><Plain cut>{model.actor}</Plain></td>
                      <td><Time at={model.recorded_at} /></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div></section>
          );
        }}
      </Loaded>
    </div>
  );
}
