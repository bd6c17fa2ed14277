import "./lineage.css";
import type { Viewport } from "@xyflow/react";
import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { ChevronDown, Download, Layers, Link2, Maximize, Minus, Plus, Route as RouteIcon, Share2, Table2, X } from "lucide-react";
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../api/client";
import { Head } from "../app/head";
import { change, go, links, usePlace } from "../app/route";
import { isTyping } from "../app/shell";
import { copy, Dialog, Empty, Plain, Popover, Problem, Skeleton } from "../kit/parts";
import { plain } from "../kit/format";
import { count, t } from "../text";
import { spoken } from "./card";
import { CanvasView } from "./canvas";
import { exported } from "./export";
import { type Controls, FlowView } from "./flow";
import { Inspector } from "./inspector";
import { key } from "./layout";
import { type Lens, lit as litOf, merge, type SceneNode, sceneOf, search, step, through, title } from "./scene";
import { TableTwin } from "./table";
import { TimeBar } from "./timebar";
import { useLayout } from "./uselayout";

const BUDGETS = [60, 150, 500, 2000];
const MOST_ELEMENTS = 300;
const NONE = "-"; // nothing is chosen, not even what the graph is about

const list = (text: string | null): string[] => {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter((one): one is string => typeof one === "string").slice(0, 50) : [];
  } catch {
    return [];
  }
};
const written = (all: string[]): string => (all.length ? JSON.stringify(all) : "");

/** Everything that decides what is seen is in the address. */
function useAsked() {
  const { query } = usePlace();
  return useMemo(() => {
    const dir = query.get("dir") ?? "";
    const lens = query.get("lens") ?? "";
    const view = (query.get("v") ?? "").split(",").map(Number);
    const asOf = Number(query.get("as_of") ?? "");
    const budget = Number(query.get("budget") ?? "");
    return {
      ref: query.get("ref") ?? "",
      compare: query.get("compare") ?? "",
      dir: dir === "up" || dir === "down" ? dir : "both",
      lens: (lens === "logical" || lens === "overview" ? lens : "versions") as Lens,
      budget: BUDGETS.includes(budget) ? budget : 60,
      fold: query.get("fold") !== "0",
      governing: query.get("gov") === "1",
      asOf: asOf > 0 && Number.isSafeInteger(asOf) ? asOf : undefined,
      expand: list(query.get("expand")),
      open: list(query.get("open")),
      sel: query.get("sel") ?? undefined,
      edge: query.get("edge") ?? undefined,
      pin: query.get("pin") ?? undefined,
      table: query.get("table") === "1",
      only: query.get("only") === "1",
      view: view.length === 3 && view.every(Number.isFinite) ? ({ x: view[0], y: view[1], zoom: view[2] } as Viewport) : undefined,
    };
  }, [query]);
}

function useScene(asked: ReturnType<typeof useAsked>) {
  const base = { ref: asked.ref, compare: asked.compare, direction: asked.dir, budget: asked.budget, fold: asked.fold, governing: asked.governing, expand: asked.expand, ...(asked.asOf === undefined ? {} : { as_of: asked.asOf }) };
  const main = useQuery({ queryKey: ["scene", base], queryFn: ({ signal }) => api.scene(base, signal), enabled: asked.ref !== "", placeholderData: keepPreviousData, staleTime: 10_000, refetchInterval: asked.asOf === undefined ? 10_000 : false });
  const more = useQueries({
    queries: asked.open.map((text) => {
      const [way, ref] = [text.startsWith("up:") ? "up" : "down", text.replace(/^(up|down):/, "")];
      const wanted = { ref, direction: way, budget: 60, depth: 1, fold: false, governing: asked.governing, ...(asked.asOf === undefined ? {} : { as_of: asked.asOf }) };
      return { queryKey: ["scene", wanted], queryFn: ({ signal }: { signal: AbortSignal }) => api.scene(wanted, signal), staleTime: 30_000 };
    }),
  });
  const parts = more.map((one) => one.data);
  const stamp = parts.map((part) => part?.nodes.length ?? 0).join();
  // biome-ignore lint: `stamp` stands for the parts, whose list is new at every render.
  const scene = useMemo(() => (main.data ? through(merge(sceneOf(main.data), parts.flatMap((part) => (part ? [sceneOf(part)] : []))), asked.lens) : undefined), [main.data, stamp, asked.lens]);
  const whole = useQuery({ queryKey: ["scene", { ...base, as_of: undefined, times: true }], queryFn: ({ signal }) => api.scene({ ...base, as_of: undefined, budget: 500, fold: false }, signal), enabled: main.data !== undefined, staleTime: 60_000, placeholderData: keepPreviousData });
  return { main, scene, whole: whole.data ? sceneOf(whole.data) : undefined };
}

export function Explorer() {
  const asked = useAsked();
  return asked.ref ? <Graph asked={asked} /> : <Start />;
}

function Start() {
  const [text, setText] = useState("");
  const models = useQuery({ queryKey: ["models"], queryFn: ({ signal }) => api.models(signal) });
  return (
    <div className="page">
      <Head crumbs={[{ label: t.lineage.title }]} />
      <section className="card">
        <Empty title={t.lineage.choose}>{t.lineage.chooseHow}</Empty>
        <form className="row" style={{ maxWidth: 520, margin: "0 auto 24px", padding: "0 16px" }} onSubmit={(event) => { event.preventDefault(); go(links.lineage(text.trim())); }}>
          <input className="input mono" required autoFocus placeholder={t.lineage.placeholder} aria-label={t.lineage.choose} value={text} onChange={(event) => setText(event.target.value)} />
          <button type="submit" className="button primary">{t.lineage.open}</button>
        </form>
        <div className="row wrap" style={{ justifyContent: "center", paddingBottom: 28 }}>{models.data?.models.slice(0, 8).map((model) => <a key={model.name} className="button small" href={links.lineage(model.aliases.champion !== undefined ? `${model.name}@champion` : model.newest)}><Plain>{model.name}</Plain></a>)}</div>
      </section>
    </div>
  );
}

function Graph({ asked }: { asked: ReturnType<typeof useAsked> }) {
  const { main, scene, whole } = useScene(asked);
  const drawn = useLayout(scene);
  const [text, setText] = useState("");
  const [hit, setHit] = useState(0);
  const [keys, setKeys] = useState(false);
  const controls = useRef<Controls>(null);
  const finder = useRef<HTMLInputElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const shown = drawn?.scene;
  const chosen = asked.edge || asked.sel === NONE ? undefined : (asked.sel ?? (asked.compare ? undefined : shown?.focus[0]));
  const node = shown?.nodes.find((one) => one.id === chosen);
  const pinned = shown?.nodes.find((one) => one.id === asked.pin);
  const edge = shown?.edges.find((one) => key(one.src, one.dst) === asked.edge);
  const lit = useMemo(() => litOf(shown?.edges ?? [], node?.id, pinned?.id), [shown, node?.id, pinned?.id]);
  const hits = useMemo(() => search(shown?.nodes ?? [], text), [shown, text]);
  const found = useMemo(() => new Set(hits.map((one) => one.id)), [hits]);

  const choose = useCallback((id: string | undefined, more = false) => change(more && id ? { pin: id, edge: undefined } : { sel: id ?? NONE, edge: undefined }), []);
  const chooseEdge = useCallback((id: string) => change({ edge: id, sel: undefined }), []);
  const onView = useCallback((view: Viewport) => change({ v: [Math.round(view.x), Math.round(view.y), Math.round(view.zoom * 1000) / 1000].join(",") }), []);
  const take = useCallback((found: Controls) => { controls.current = found; }, []);
  const open = useCallback((one: SceneNode, way: "up" | "down") => {
    const ref = one.shape === "node" ? one.ref : "";
    if (!ref) return change({ expand: written([...asked.expand, one.id]) });
    const name = `${way}:${ref}`;
    return change({ open: written(asked.open.includes(name) ? asked.open.filter((other) => other !== name) : [...asked.open, name]), v: undefined });
  }, [asked.expand, asked.open]);
  const actions = {
    focus: (one: SceneNode) => go(links.lineage(one.names[0] ?? one.ref, { dir: asked.dir === "both" ? "" : asked.dir, budget: asked.budget === 60 ? "" : asked.budget, as_of: asked.asOf, lens: asked.lens === "versions" ? "" : asked.lens })),
    expand: (one: SceneNode) => change({ expand: written(asked.expand.includes(one.id) ? asked.expand.filter((id) => id !== one.id) : [...asked.expand, one.id]), v: undefined }),
    pin: (one: SceneNode) => change({ pin: asked.pin === one.id ? undefined : one.id }),
    compare: (one: SceneNode) => pinned && go(links.lineage(pinned.names[0] ?? pinned.ref, { compare: one.names[0] ?? one.ref })),
    close: () => change({ sel: NONE, edge: undefined }),
  };
  const ways = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;
  const press = (event: KeyboardEvent) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || !drawn) return;
    const way = ways[event.key as keyof typeof ways];
    const from = node ?? drawn.scene.nodes.find((one) => one.focus) ?? drawn.scene.nodes[0];
    const acts: Record<string, () => void> = {
      f: () => node && actions.focus(node), e: () => node && (node.shape === "node" ? open(node, "up") : actions.expand(node)), p: () => node && actions.pin(node), d: () => node && actions.compare(node),
      "[": () => node && open(node, "up"), "]": () => node && open(node, "down"), "0": () => controls.current?.fit(), "+": () => controls.current?.zoom(1.25), "=": () => controls.current?.zoom(1.25), "-": () => controls.current?.zoom(0.8),
      Escape: () => change({ sel: NONE, edge: undefined, pin: undefined }), Enter: () => from && choose(from.id), t: () => document.getElementById("time")?.focus(), h: () => setKeys(true),
    };
    if (way && from) {
      event.preventDefault();
      const next = node ? step(drawn.scene, drawn.layout.at, from.id, way) : from.id;
      if (next) {
        choose(next);
        controls.current?.show(next);
      }
    } else if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]?.();
    }
  };
  useEffect(() => {
    const slash = (event: globalThis.KeyboardEvent) => {
      if (event.key === "/" && !isTyping(event.target)) {
        event.preventDefault();
        finder.current?.focus();
      }
    };
    window.addEventListener("keydown", slash);
    return () => window.removeEventListener("keydown", slash);
  }, []);
  const goTo = (n: number) => {
    const one = hits[(n + hits.length) % hits.length];
    if (!one) return;
    setHit((n + hits.length) % hits.length);
    choose(one.id);
    controls.current?.show(one.id);
  };
  const View = (shown?.nodes.length ?? 0) > MOST_ELEMENTS ? CanvasView : FlowView;
  const total = main.data ? main.data.drawn + main.data.hidden : 0;
  return (
    <div className="lineage">
      <Head
        crumbs={[{ label: t.lineage.title, href: "#/lineage" }, { label: asked.compare ? `${asked.ref} · ${asked.compare}` : asked.ref }]}
        actions={
          <>
            <button type="button" className="button hide-small" onClick={() => void copy(window.location.href, t.lineage.copied)}><Share2 size={15} aria-hidden="true" />{t.lineage.share}</button>
            <Popover align="right" name={t.lineage.export} label={<><Download size={15} aria-hidden="true" /><span className="hide-small">{t.lineage.export}</span></>}>
              {(close) => (["svg", "png", "json", "mermaid"] as const).map((kind) => <button key={kind} type="button" className="option" disabled={!drawn} onClick={() => { close(); if (drawn) void exported(kind, drawn, asked.ref); }}>{t.lineage[kind]}</button>)}
            </Popover>
          </>
        }
      />
      <h1 className="visually-hidden">{t.lineage.title}: {plain(asked.ref)}</h1>
      <div className="stagewrap">
        <div className="tools" role="toolbar" aria-label={t.lineage.title}>
          <div className="seg" role="group" aria-label="Lens">{([["versions", "Versions"], ["logical", "Logical"], ["overview", "Overview"]] as const).map(([lens, label]) => <button key={lens} type="button" aria-pressed={asked.lens === lens} onClick={() => change({ lens: lens === "versions" ? "" : lens, v: undefined, sel: undefined })}>{label}</button>)}</div>
          <div className="seg" role="group" aria-label={t.lineage.both}>{([["both", t.lineage.both], ["up", t.lineage.up], ["down", t.lineage.down]] as const).map(([dir, label]) => <button key={dir} type="button" aria-pressed={asked.dir === dir} onClick={() => change({ dir: dir === "both" ? "" : dir, v: undefined })}>{label}</button>)}</div>
          <div className="seg">
            <button type="button" aria-pressed={asked.fold} onClick={() => change({ fold: asked.fold ? "0" : "", v: undefined })}><Layers size={14} aria-hidden="true" /> {t.lineage.fold}</button>
            <button type="button" aria-pressed={asked.governing} onClick={() => change({ gov: !asked.governing, v: undefined })}><Link2 size={14} aria-hidden="true" /> {t.lineage.governing}</button>
          </div>
          <div className="seg find">
            <input ref={finder} aria-label={t.lineage.find} placeholder={t.lineage.find} value={text} onChange={(event) => { setText(event.target.value); setHit(-1); }} onKeyDown={(event) => { if (event.key === "Enter") goTo(event.shiftKey ? hit - 1 : hit + 1); else if (event.key === "Escape") { setText(""); stage.current?.focus(); } }} />
            {text ? <span className="muted nowrap" role="status">{hits.length ? `${Math.max(1, hit + 1)}/${hits.length}` : "0"}</span> : <span className="kbd" aria-hidden="true">/</span>}
          </div>
          <span className="grow" />
          <div className="seg">
            {node ? <button type="button" aria-pressed={asked.only} title={t.lineage.paths} aria-label={t.lineage.paths} onClick={() => change({ only: !asked.only })}><RouteIcon size={14} aria-hidden="true" /></button> : null}
            <button type="button" aria-pressed={asked.table} onClick={() => change({ table: !asked.table })}><Table2 size={14} aria-hidden="true" /> {t.lineage.table}</button>
          </div>
          <Popover className="button countchip" align="right" label={<><b>{count(shown?.nodes.length ?? 0)}</b><span className="muted">{t.lineage.of(total)}</span><ChevronDown size={14} aria-hidden="true" /></>}>
            {(close) => BUDGETS.map((budget) => <button key={budget} type="button" className="option" aria-pressed={asked.budget === budget} onClick={() => { close(); change({ budget: budget === 60 ? "" : budget, v: undefined }); }}>{t.lineage.budget}: {count(budget)}</button>)}
          </Popover>
        </div>
        {asked.compare ? <ul className="legend card" aria-label={t.lineage.compareTitle}>{Object.entries(t.lineage.legend).map(([side, label]) => <li key={side}><i className={`swatch side-${side}`} aria-hidden="true" />{label}</li>)}<li><button type="button" className="button plain small icon" aria-label={t.lineage.close} onClick={() => change({ compare: undefined, v: undefined })}><X size={13} aria-hidden="true" /></button></li></ul> : null}
        {pinned ? <p className="pinnote card" role="status"><Plain>{t.lineage.pinned(title(pinned))}</Plain> <button type="button" className="button plain small" onClick={() => change({ pin: undefined })}>{t.lineage.unpin}</button></p> : null}
        <div ref={stage} className={`stage ${asked.only && lit.size ? "only" : ""} ${lit.size ? "has-lit" : ""}`} tabIndex={0} role="application" aria-roledescription="graph" aria-label={t.lineage.graphLabel(shown?.nodes.length ?? 0, shown?.edges.length ?? 0)} onKeyDown={press} hidden={asked.table}>
          {main.error && !main.isPlaceholderData ? (
            <div className="page"><Problem error={main.error} retry={() => void main.refetch()} />{asked.asOf !== undefined ? <div><button type="button" className="button" onClick={() => change({ as_of: undefined })}>{t.lineage.now}</button></div> : null}</div>
          ) : drawn && !asked.table ? (
            <View key={`${asked.ref} ${asked.compare} ${View === CanvasView}`} drawn={drawn} chosen={node?.id} edge={asked.edge} pinned={pinned?.id} lit={lit} found={found} view={asked.view} onChoose={choose} onEdge={chooseEdge} onOpen={open} onView={onView} controls={take} />
          ) : asked.table ? null : <div className="page"><Skeleton lines={6} height={48} /></div>}
          <p className="visually-hidden" role="status">{node ? spoken(node) : ""}</p>
        </div>
        {asked.table && shown ? <TableTwin scene={shown} chosen={node?.id} onChoose={(id) => choose(id)} /> : null}
        {asked.table ? null : (
          <div className="zoomer card" role="group" aria-label={t.lineage.fit}>
            <button type="button" aria-label={t.lineage.zoomIn} onClick={() => controls.current?.zoom(1.3)}><Plus size={16} aria-hidden="true" /></button>
            <button type="button" aria-label={t.lineage.zoomOut} onClick={() => controls.current?.zoom(0.77)}><Minus size={16} aria-hidden="true" /></button>
            <button type="button" aria-label={t.lineage.fit} onClick={() => { change({ v: undefined }); controls.current?.fit(); }}><Maximize size={15} aria-hidden="true" /></button>
          </div>
        )}
        {main.data?.cut && !asked.table ? <p className="cutnote" title={main.data.cut_reason}><Plain>{main.data.cut_reason.replace(/^./, (first) => first.toUpperCase())}</Plain></p> : null}
        {whole ? <TimeBar scene={whole} asOf={asked.asOf} onChange={(at) => change({ as_of: at, v: undefined })} /> : null}
      </div>
      {shown && (node || edge) ? <Inspector node={node} edge={edge} scene={shown} pinned={pinned} expanded={asked.expand} actions={actions} /> : null}
      {keys ? <Dialog small title={t.settings.keys} onClose={() => setKeys(false)}>{t.lineage.keys.map(([k, what]) => <p key={k}><span className="kbd">{k}</span> {what}</p>)}</Dialog> : null}
    </div>
  );
}
