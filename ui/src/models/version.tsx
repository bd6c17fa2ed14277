import { useQuery } from "@tanstack/react-query";
import { Share2 } from "lucide-react";
import { api } from "../api/client";
import { Head } from "../app/head";
import { links, to, usePlace } from "../app/route";
import { at, better, delta, figure, signed } from "../kit/format";
import { Empty, Loaded, Panel, Plain, Tile, Time } from "../kit/parts";
import { RunTable } from "../more/home";
import { t } from "../text";
import { References, VersionFacts } from "../datasets/facts";
import { Health } from "./model";
import { Origin } from "./origin";

/** One version of a model, or of anything else that is named. */
export function Version() {
  const { query } = usePlace();
  const ref = query.get("ref") ?? "";
  const found = useQuery({ queryKey: ["show", ref], queryFn: ({ signal }) => api.show(ref, signal), enabled: ref !== "" });
  const version = found.data?.type === "version" ? found.data : undefined;
  const name = version?.names[0]?.split("@").slice(0, -1).join("@");
  const made = version?.made_by[0];
  const number = Number(version?.names[0]?.split("@").at(-1));
  const model = useQuery({ queryKey: ["model", name], queryFn: ({ signal }) => api.model(name ?? "", signal), enabled: name !== undefined });
  const before = model.data?.versions.find((one) => one.number < number);
  return (
    <div className="page">
      <Head
        crumbs={[{ label: t.models.title, href: to("/models") }, ...(name ? [{ label: name, href: links.model(name) }] : []), { label: ref }]}
        actions={version ? <a className="button hide-small" href={links.lineage(version.names[0] ?? version.ref)}><Share2 size={15} aria-hidden="true" />{t.run.lineage}</a> : null}
      />
      {!ref ? <Empty title={t.error.missing} /> : (
        <Loaded of={found} lines={9} height={26}>
          {(data) => data.type !== "version" ? <Empty title={t.error.missing}><a href={links.run(data.run_id)}>{ref}</a></Empty> : (
            <>
              <div className="page-head">
                <div className="stack">
                  <div className="row wrap"><Tile kind={data.kind} /><h1><Plain>{data.names[0] ?? data.ref}</Plain></h1>{data.aliases.map((alias) => <span key={alias} className="badge good"><Plain>{alias.split("@").at(-1) ?? alias}</Plain></span>)}</div>
                  <p className="muted"><Plain>{made?.actor ?? t.value.unknown}</Plain> · <Time at={data.recorded_at} /> · <Plain>{data.ref}</Plain></p>
                </div>
                {before ? <a className="button" href={links.compare(before.ref, ref)}>{t.models.against(`v${number}`, `v${before.number}`)}</a> : null}
              </div>
              {data.deleted_at ? <p className="note warn">{t.datasets.deleted}</p> : null}
              <div className="grid">
                <div className="s8 stackgrid">
                  {made && Object.keys(made.metrics).length ? (
                    <div className="metric-tiles">
                      {Object.entries(made.metrics).slice(0, 8).map(([key, value]) => {
                        const moved = before ? delta(value, at(before.run?.metrics, key)) : undefined;
                        const good = better(key);
                        return <div key={key} className="metric-tile card"><div className="label cut"><Plain cut>{key}</Plain></div><div className="value">{figure(value)}</div>{moved !== undefined ? <div className={moved === 0 || good === undefined ? "muted" : moved > 0 === good ? "up" : "down"}>{signed(moved)}</div> : null}</div>;
                      })}
                    </div>
                  ) : null}
                  <Panel title={t.models.from(data.names[0] ?? data.ref)} aside={<a href={links.lineage(data.names[0] ?? data.ref)}>{t.models.open}</a>}><Origin reference={data.names[0] ?? data.ref} targets={data.used_by.filter((run) => run.kind === "deployment" && run.state === "running").map((run) => run.name)} /></Panel>
                  <Panel title={t.datasets.producers} flush>{data.made_by.length ? <RunTable runs={data.made_by} /> : <p className="muted pad">{t.datasets.noproducers}</p>}</Panel>
                  <Panel title={t.datasets.consumers} flush>{data.used_by.length ? <RunTable runs={data.used_by} /> : <p className="muted pad">{t.datasets.noconsumers}</p>}</Panel>
                </div>
                <div className="s4 stackgrid"><VersionFacts version={data} /><References version={data} /><Health reference={data.names[0] ?? data.ref} /></div>
              </div>
            </>
          )}
        </Loaded>
      )}
    </div>
  );
}
