import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp, ChartScatter, Columns3, Download, GitCompareArrows, Tag, Trash2, X } from "lucide-react";
import { Suspense, useEffect, useMemo, useRef, useState } from "react";
import { api, Refused, type RunSummary } from "../api/client";
import { firstRuns } from "../app/ahead";
import { RUNS_PAGE } from "../app/first";
import { Head } from "../app/head";
import { pace } from "../app/live";
import { change, go, to, usePlace } from "../app/route";
import { at } from "../kit/format";
import { later } from "../kit/later";
import { Empty, Plain, Popover, Problem, RunLink, runName, save, Skeleton, State, Time, toast, took } from "../kit/parts";
import { t } from "../text";
import { Bulk } from "./bulk";
import { type Column, column, differing, OWN, parseColumns, usual, value, writeColumns } from "./columns";
import { csv, nextOrder, sorting } from "./filter";
import { FilterBox } from "./filterbox";
import { GroupBy, Groups } from "./groups";
import { Saved } from "./views";

const Plots = later(async () => (await import("./plots")).default);
const PAGE = RUNS_PAGE;
const ROW = 38;
const PICK = 44;

/** Runs in the order and under the filter of the address; only the pages that are seen are asked for. */
function usePages(where: string, order: string) {
  const [pages, setPages] = useState<number[]>([0]);
  const first = useQuery({
    ...firstRuns(where, order),
    placeholderData: keepPreviousData,
    refetchInterval: (query) => pace(query.state.data?.runs.some((run) => run.state === "running") ? 3000 : 10_000),
  });
  // What was shown last stays while a filter cannot be read.
  const last = useRef(first.data);
  if (first.data) last.current = first.data;
  const data = first.data ?? last.current;
  const more = useQueries({
    queries: pages
      .filter((page) => page > 0)
      .map((page) => ({ queryKey: ["runs", where, order, page], queryFn: ({ signal }: { signal: AbortSignal }) => api.runs({ where, order, limit: PAGE, offset: page * PAGE }, signal), staleTime: 10_000 })),
  });
  const known = new Map<number, RunSummary[]>([[0, data?.runs ?? []]]);
  pages.filter((page) => page > 0).forEach((page, n) => known.set(page, more[n]?.data?.runs ?? []));
  return {
    first,
    data,
    total: data?.total ?? 0,
    row: (n: number): RunSummary | undefined => known.get(Math.floor(n / PAGE))?.[n % PAGE],
    loaded: [...known.values()].flat(),
    want: (from: number, until: number) => {
      const wanted: number[] = [];
      for (let page = Math.floor(from / PAGE); page <= Math.floor(until / PAGE); page += 1) wanted.push(page);
      if (wanted.join() !== pages.join()) setPages(wanted);
    },
  };
}

export function Runs() {
  const { query } = usePlace();
  const where = query.get("where") ?? "";
  const order = query.get("order") ?? "";
  const plots = query.get("plots") === "1";
  const pages = usePages(where, order);
  const [picked, setPicked] = useState<Map<string, RunSummary>>(new Map());
  const chosen = parseColumns(query.get("cols") ?? "");
  const guess = useMemo(() => usual(pages.data?.runs ?? []), [pages.data?.runs]);
  const differ = query.get("differ") === "1";
  const by = query.get("by") ?? "";
  const wide = useMemo(() => [...OWN, ...(chosen ?? guess)], [chosen, guess]);
  const columns = useMemo(() => (differ ? differing(wide, pages.loaded) : wide), [differ, wide, pages.loaded]);
  const flip = (run: RunSummary) => {
    const next = new Map(picked);
    if (!next.delete(run.run_id)) next.set(run.run_id, run);
    setPicked(next);
  };
  const download = async () => {
    const all = await api.runs({ where, order, limit: 100_000 });
    const wanted = columns.filter((one) => one.scope !== "run");
    const rows = all.runs.map((run) => [run.run_id, run.job, run.name, run.state, run.started_at, run.ended_at, run.actor, ...wanted.map((one) => (one.scope === "metrics" ? at(run.metrics, one.key) : one.scope === "params" ? at(run.params, one.key) : at(run.tags, one.key)))]);
    save("runs.csv", csv([["run_id", "job", "name", "state", "started_at", "ended_at", "actor", ...wanted.map((one) => one.id)], ...rows]), "text/csv");
  };
  return (
    <div className="page wide runs-page">
      <Head crumbs={[{ label: t.runs.title }]} />
      <div className="row wrap spread">
        <div className="row" style={{ alignItems: "baseline" }}><h1>{t.runs.title}</h1><span className="muted" aria-live="polite">{pages.data ? t.runs.total(pages.total) : ""}</span></div>
        <div className="row wrap">
          <Saved />
          <GroupBy by={by} />
          <label className="check"><input type="checkbox" checked={differ} onChange={(event) => change({ differ: event.target.checked })} />{t.runs.differ}</label>
          <ColumnChoice columns={wide.filter((one) => one.scope !== "run")} seen={pages.loaded} />
          <button type="button" className="button" aria-pressed={plots} onClick={() => change({ plots: !plots })}><ChartScatter size={15} aria-hidden="true" />{t.runs.plot}</button>
          <button type="button" className="button" onClick={() => void download().catch((error: unknown) => toast(String(error)))}><Download size={15} aria-hidden="true" />{t.runs.csvShort}</button>
        </div>
      </div>
      <FilterBox value={where} error={pages.first.error instanceof Refused && pages.first.error.status === 400 ? pages.first.error : undefined} onChange={(text) => change({ where: text })} />
      {plots ? <Suspense fallback={<Skeleton lines={6} />}><Plots runs={pages.loaded} columns={columns} /></Suspense> : null}
      {pages.first.error && !(pages.first.error instanceof Refused && pages.first.error.status === 400) && !pages.data ? <Problem error={pages.first.error} retry={() => void pages.first.refetch()} /> : null}
      {pages.first.isPending ? <Skeleton lines={12} height={30} /> : !pages.data ? null : pages.total === 0 ? (
        <section className="card"><Empty title={where ? t.runs.empty : t.home.empty} code={where ? undefined : t.home.emptyCode}>{where ? t.runs.emptyHow : t.home.emptyHow}</Empty></section>
      ) : by ? <Groups by={by} where={where} metric={query.get("metric") ?? ""} /> : (
        <Grid columns={columns} order={order} total={pages.total} row={pages.row} want={pages.want} picked={picked} flip={flip} />
      )}
      {picked.size ? (
        <div className="selection card" role="region" aria-label={t.runs.selected(picked.size)}>
          <strong>{t.runs.selected(picked.size)}</strong>
          <button type="button" className="button primary small" disabled={picked.size < 2} title={picked.size < 2 ? t.runs.one : undefined} onClick={() => go(picked.size === 2 ? to("/compare", { a: `run:${[...picked.keys()][1]}`, b: `run:${[...picked.keys()][0]}` }) : to("/compare", { runs: [...picked.keys()].slice(0, 20).join(",") }))}><GitCompareArrows size={14} aria-hidden="true" />{t.runs.compare}</button>
          <Bulk runs={[...picked.values()]} done={() => setPicked(new Map())} icons={{ tag: <Tag size={14} aria-hidden="true" />, trash: <Trash2 size={14} aria-hidden="true" /> }} />
          <button type="button" className="button plain small icon" aria-label={t.runs.unselect} onClick={() => setPicked(new Map())}><X size={15} aria-hidden="true" /></button>
        </div>
      ) : null}
    </div>
  );
}

interface GridProps {
  columns: Column[];
  order: string;
  total: number;
  row: (n: number) => RunSummary | undefined;
  want: (from: number, until: number) => void;
  picked: Map<string, RunSummary>;
  flip: (run: RunSummary) => void;
}

const TITLES: Record<string, string> = { name: t.runs.name, state: t.runs.state, started_at: t.runs.started, duration: t.runs.duration, actor: t.runs.actor };

function Grid({ columns, order, total, row, want, picked, flip }: GridProps) {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: total, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 12 });
  const cols = useVirtualizer({ horizontal: true, count: columns.length, getScrollElement: () => box.current, estimateSize: (n) => columns[n]?.width ?? 100, overscan: 2, paddingStart: PICK });
  // biome-ignore lint: widths change with the columns.
  useEffect(() => cols.measure(), [columns]);
  const seen = rows.getVirtualItems();
  const from = seen[0]?.index ?? 0;
  const until = seen.at(-1)?.index ?? 0;
  useEffect(() => {
    const timer = window.setTimeout(() => want(from, until), 60);
    return () => window.clearTimeout(timer);
  });
  const now = sorting(order);
  const across = cols.getVirtualItems();
  const width = cols.getTotalSize();
  return (
    <div ref={box} className="grid-table card" role="grid" aria-rowcount={total + 1} aria-colcount={columns.length + 1} aria-label={t.runs.title} tabIndex={0}>
      <div className="gt-head" role="row" aria-rowindex={1} style={{ width }}>
        <span role="columnheader" aria-colindex={1} className="gt-pick"><span className="visually-hidden">{t.runs.selected(picked.size)}</span></span>
        {across.map((item) => {
          const one = columns[item.index] as Column;
          const sorted = now?.field === one.id;
          const sortable = one.id !== "duration";
          const title = one.scope === "run" ? (TITLES[one.id] ?? one.id) : one.key;
          return (
            <span key={one.id} role="columnheader" aria-colindex={item.index + 2} aria-sort={sorted ? (now.descending ? "descending" : "ascending") : undefined} style={{ left: item.start, width: item.size }} className={one.numeric ? "right" : ""}>
              {sortable ? (
                <button type="button" onClick={() => change({ order: nextOrder(order, one.id) })} title={`${t.runs.sort(one.id)}`}>
                  <bdi className={`cut ${one.scope === "run" ? "" : "mono"}`}>{title}</bdi>
                  {sorted ? now.descending ? <ArrowDown size={13} aria-hidden="true" /> : <ArrowUp size={13} aria-hidden="true" /> : null}
                </button>
              ) : <span className="plain">{title}</span>}
            </span>
          );
        })}
      </div>
      <div style={{ height: rows.getTotalSize(), width, position: "relative" }} role="rowgroup">
        {seen.map((line) => {
          const run = row(line.index);
          const on = run ? picked.has(run.run_id) : false;
          return (
            <div key={line.key} role="row" aria-rowindex={line.index + 2} aria-selected={on} className={`gt-row ${on ? "picked" : ""}`} style={{ transform: `translateY(${line.start}px)`, width }}>
              <span role="gridcell" aria-colindex={1} className="gt-pick">{run ? <input type="checkbox" checked={on} onChange={() => flip(run)} aria-label={t.runs.select(runName(run))} /> : null}</span>
              {across.map((item) => {
                const one = columns[item.index] as Column;
                return (
                  <span key={one.id} role="gridcell" aria-colindex={item.index + 2} style={{ left: item.start, width: item.size }} className={one.numeric ? "right" : ""}>
                    {run ? <Cell run={run} one={one} /> : <span className="skeleton" style={{ display: "block", width: "60%" }} />}
                  </span>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cell({ run, one }: { run: RunSummary; one: Column }) {
  if (one.scope !== "run") {
    const text = value(run, one);
    return <bdi className={`cut ${one.numeric ? "" : "mono"}`} title={text.slice(0, 400)}>{text.slice(0, 200)}</bdi>;
  }
  if (one.id === "name") return <RunLink run={run} />;
  if (one.id === "state") return <State state={run.state} />;
  if (one.id === "started_at") return <Time at={run.started_at} />;
  if (one.id === "duration") return <>{took(run)}</>;
  return <Plain cut>{run.actor}</Plain>;
}

function ColumnChoice({ columns, seen }: { columns: Column[]; seen: RunSummary[] }) {
  const [text, setText] = useState("");
  const fields = useQuery({ queryKey: ["fields"], queryFn: ({ signal }) => api.fields(signal), staleTime: 30_000 });
  const shown = new Set(columns.map((one) => one.id));
  const order = usual(seen, 1000, 1000).map((one) => one.id);
  const rank = (id: string) => (order.indexOf(id) + 1 || 1e6);
  const all = fields.data ? (["metrics", "params", "tags"] as const).map((scope) => ({ scope, all: fields.data[scope].filter((key) => key.toLowerCase().includes(text.toLowerCase())).map((key) => column(scope, key)).sort((a, b) => rank(a.id) - rank(b.id)) })) : [];
  const set = (wanted: Column[]) => change({ cols: writeColumns(wanted) });
  return (
    <Popover label={<><Columns3 size={15} aria-hidden="true" />{t.runs.columns}</>} align="right">
      {() => (
        <div className="stack" style={{ width: 280 }}>
          <input className="input" placeholder={t.runs.findColumn} aria-label={t.runs.findColumn} value={text} onChange={(event) => setText(event.target.value)} autoFocus />
          {all.map(({ scope, all: found }) => found.length ? (
            <fieldset key={scope} className="plainset">
              <legend>{t.runs[scope]}</legend>
              {found.slice(0, 40).map((one) => (
                <label key={one.id} className="check"><input type="checkbox" checked={shown.has(one.id)} onChange={() => set(shown.has(one.id) ? columns.filter((other) => other.id !== one.id) : [...columns, one])} /><bdi className="cut mono">{one.key}</bdi></label>
              ))}
              {found.length > 40 ? <p className="muted">{t.runs.more(found.length - 40)}</p> : null}
            </fieldset>
          ) : null)}
        </div>
      )}
    </Popover>
  );
}
