// Which columns a column was made from and which it went into, as far as anybody said or the values show.
import { useQuery } from "@tanstack/react-query";
import { api, Refused } from "../api/client";
import { linkOf } from "../app/route";
import { plain } from "../kit/format";
import { Loaded, Plain } from "../kit/parts";
import { t } from "../text";

/** The lineage of one column of a version, both ways. */
export function ColumnLineage({ reference, column }: { reference: string; column: string }) {
  return (
    <div className="grid" style={{ padding: "6px 16px 14px" }}>
      {(["up", "down"] as const).map((direction) => <div key={direction} className="s6"><h3>{t.columns[direction]}</h3><Way reference={reference} column={column} direction={direction} /></div>)}
    </div>
  );
}

function Way({ reference, column, direction }: { reference: string; column: string; direction: "up" | "down" }) {
  const found = useQuery({ queryKey: ["columns", reference, column, direction], queryFn: ({ signal }) => api.columns({ ref: reference, column, direction }, signal), staleTime: 60_000, retry: false });
  if (found.error instanceof Refused && found.error.status === 404) return <p className="muted">{t.columns.unknown}</p>;
  return (
    <Loaded of={found} lines={2}>
      {(data) => {
        const name = new Map(data.nodes.map((node) => [node.id, node]));
        const edges = data.edges.slice(0, 60);
        if (!edges.length) return <p className="muted">{t.columns.none[direction]}</p>;
        return (
          <ul className="stack" style={{ gap: 6 }}>
            {edges.map((edge) => {
              const [far, near] = direction === "up" ? [name.get(edge.src), name.get(edge.dst)] : [name.get(edge.dst), name.get(edge.src)];
              if (!far || !near) return null;
              return (
                <li key={`${edge.src} ${edge.dst}`} className="small">
                  <div className="row wrap" style={{ gap: 6 }}>
                    <bdi className="mono">{plain(far.column)}</bdi>
                    <span className="muted">{t.columns.of}</span>
                    {far.known ? <a href={linkOf(far.ref)}><Plain>{far.ref}</Plain></a> : <Plain>{far.ref}</Plain>}
                    <span className={`badge ${edge.evidence === "inferred" ? "warn" : ""}`} title={edge.rule === "same-values" ? t.columns.sameValues : t.evidence[edge.evidence]}>{edge.evidence}</span>
                  </div>
                  <div className="muted"><Plain>{`${direction === "up" ? "→" : "←"} ${near.column}${edge.how.length ? `: ${edge.how.join(", ")}` : ""}`}</Plain></div>
                </li>
              );
            })}
            {data.cut || data.edges.length > edges.length ? <li className="muted">{t.lineage.cutNote}</li> : null}
          </ul>
        );
      }}
    </Loaded>
  );
}
