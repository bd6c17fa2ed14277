// What depends on a version: how much of each kind, what is live, the nearest by name.
import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import { linkOf, links } from "../app/route";
import { Loaded, Panel, Plain, Tile } from "../kit/parts";
import { t } from "../text";

const FIRST = 12;

export function Impact({ reference }: { reference: string }) {
  const found = useQuery({ queryKey: ["impact", reference], queryFn: ({ signal }) => api.impact({ ref: reference, limit: FIRST }, signal), staleTime: 30_000 });
  return (
    <Panel title={t.datasets.impact} aside={<a href={links.lineage(reference, { dir: "down" })}>{t.models.open}</a>}>
      <Loaded of={found} lines={3}>
        {(data) => data.total === 0 ? <p className="muted">{t.impact.nothing}</p> : (
          <div className="stack">
            <p>{t.impact.total(data.total, data.exact)}: <span className="muted">{Object.entries(data.counts).map(([kind, k]) => t.impact.ofKind(kind, k)).join(", ")}</span></p>
            {data.live.length ? <p className="note warn">{t.impact.live} {data.live.slice(0, 6).map((one) => <a key={one.ref} href={linkOf(one.ref, one.kind)}><Plain>{one.label}</Plain> </a>)}</p> : null}
            <ul className="stack" style={{ gap: 5 }}>
              {data.affected.map((one) => (
                <li key={one.ref} className="row"><Tile kind={one.type === "run" && one.kind !== "deployment" ? "run" : one.kind} /><a className="cut grow" href={linkOf(one.ref, one.kind)}><Plain cut>{one.names[0] ?? one.label}</Plain></a><span className="muted nowrap small">{t.impact.away(one.distance)}</span></li>
              ))}
            </ul>
            {data.total > data.affected.length ? <p className="muted">{t.runs.more(data.total - data.affected.length)}</p> : null}
          </div>
        )}
      </Loaded>
    </Panel>
  );
}
