import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { Head } from "../app/head";
import { change, linkOf, usePlace } from "../app/route";
import { size } from "../kit/format";
import { Empty, Plain, Problem, Skeleton, Tile, Time } from "../kit/parts";
import { t } from "../text";

const KINDS = ["dataset", "features", "model", "report", "prompt", "other"];
const PAGE = 200;

export function Datasets() {
  const { query } = usePlace();
  const kind = query.get("kind") ?? "";
  const text = query.get("text") ?? "";
  const [typed, setTyped] = useState(text);
  const found = useInfiniteQuery({
    queryKey: ["artifacts", kind, text],
    queryFn: ({ signal, pageParam }) => api.artifacts({ kinds: kind ? [kind] : [], text, limit: PAGE, offset: pageParam }, signal),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => (last.cut ? pages.length * PAGE : undefined),
    placeholderData: keepPreviousData,
  });
  const rows = found.data?.pages.flatMap((page) => page.artifacts) ?? [];
  return (
    <div className="page">
      <Head crumbs={[{ label: t.datasets.title }]} />
      <div className="page-head">
        <div className="stack"><h1>{t.datasets.title}</h1><p className="muted">{t.datasets.lead}</p></div>
        <form className="row" onSubmit={(event) => { event.preventDefault(); change({ text: typed }); }}>
          <select className="input" aria-label={t.datasets.kinds} value={kind} onChange={(event) => change({ kind: event.target.value })}><option value="">{t.datasets.all}</option>{KINDS.map((one) => <option key={one}>{one}</option>)}</select>
          <input className="input" placeholder={t.datasets.filter} aria-label={t.datasets.filter} value={typed} onChange={(event) => { setTyped(event.target.value); change({ text: event.target.value }); }} />
        </form>
      </div>
      {found.error ? <Problem error={found.error} retry={() => void found.refetch()} /> : found.isPending ? <Skeleton lines={10} height={30} /> : rows.length === 0 ? <section className="card"><Empty title={t.datasets.empty}>{t.datasets.emptyHow}</Empty></section> : (
        <section className="card flush"><div className="tablewrap" tabIndex={0} role="region" aria-label={t.datasets.title}>
          <table className="list">
            <thead><tr><th>{t.datasets.name}</th><th>{t.datasets.kind}</th><th className="num">{t.datasets.versions}</th><th>{t.datasets.newest}</th><th className="num">{t.datasets.size}</th><th>{t.datasets.level}</th></tr></thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.namespace + row.name}>
                  <td><div className="row"><Tile kind={row.kind} /><a className="cut" href={linkOf(row.newest)}><Plain cut>{row.name}</Plain></a></div></td>
                  <td>{row.kind}</td><td className="num">{row.versions}</td><td><Time at={row.recorded_at} /></td><td className="num nowrap">{size(row.size)}</td>
                  <td><span className="state" title={t.level[row.level]}><span className={`dot ${row.level === "native" || row.level === "content" ? "good" : "warn"}`} aria-hidden="true" />{row.level}</span></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div></section>
      )}
      {found.hasNextPage ? <div><button type="button" className="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>{t.datasets.load}</button></div> : null}
    </div>
  );
}

