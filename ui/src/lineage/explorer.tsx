import "./lineage.css";
import type { Viewport } from "@xyflow/react";
import { useQuery } from "@tanstack/react-query";
import { Download, Maximize, Minus, Plus, Share2, X } from "lucide-react";
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../api/client";
import { Head } from "../app/head";
import { change, go, links, type Query, quote, to } from "../app/route";
import { isTyping } from "../app/shell";
import { plain } from "../kit/format";
import { copy, Dialog, Empty, Plain, Popover, Problem, Skeleton, toast } from "../kit/parts";
import { t } from "../text";
import { useAsked } from "./ask";
import { type Asked, NONE, openOf, toggled, written } from "./asked";
import { CanvasView } from "./canvas";
import { type Acts, hasColumns, spoken } from "./card";
import { way } from "./columns";
import { exported } from "./export";
import { type Controls, FlowView } from "./flow";
import { type Actions, Inspector } from "./inspector";
import { key } from "./layout";
import { Legend, Sides } from "./legend";
import { having } from "./marks";
import { lit as litOf, type SceneNode, search, step, title } from "./scene";
import { TableTwin } from "./table";
import { TimeBar } from "./timebar";
import { Tools } from "./tools";
import { useLayout } from "./uselayout";
import { useScene } from "./usescene";

const MOST_ELEMENTS = 300;
const WAYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;

export function Explorer() {
  const asked = useAsked();
  return asked.ref || asked.lens === "overview" ? <Graph asked={asked} /> : <Start />;
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
        <p className="row" style={{ justifyContent: "center", paddingBottom: 18 }}><a href={to("/lineage", { lens: "overview" })}>{t.lineage.whole}</a></p>
        <div className="row wrap" style={{ justifyContent: "center", paddingBottom: 28 }}>{models.data?.models.slice(0, 8).map((model) => <a key={model.name} className="button small" href={links.lineage(model.aliases.champion !== undefined ? `${model.name}@champion` : model.newest)}><Plain>{model.name}</Plain></a>)}</div>
      </section>
    </div>
  );
}

/** A reference from which a graph can be drawn: of a job, its last run. */
async function centre(node: SceneNode): Promise<string> {
  if (node.type !== "job") return node.names[0] ?? node.ref;
  const { runs } = await api.runs({ where: `job = ${quote(node.label)}`, limit: 1 });
  return runs[0] ? `run:${runs[0].run_id}` : "";
}

/** What can be done with a card. */
function useActs(asked: Asked, pinned: SceneNode | undefined, touched: RefObject<string | undefined>): { acts: Acts; actions: Actions } {
  return useMemo(() => {
    const touch = (node: SceneNode, query: Query) => {
      touched.current = node.id;
      change(query);
    };
    const expand = (node: SceneNode) => touch(node, { expand: toggled(asked.expand, node.id) });
    const opened = (node: SceneNode, side: "up" | "down", hops = 1) => {
      if (node.shape !== "node") return expand(node);
      const open = openOf(asked.open, side, node.id);
      touch(node, { open: toggled(asked.open, open ?? `${side}:${node.id}${hops > 1 ? `:${hops}` : ""}`) });
    };
    const both = (node: SceneNode, address: (a: string, b: string) => string) => pinned && void Promise.all([centre(pinned), centre(node)]).then(([a, b]) => a && b && go(address(a, b)), () => toast(t.error.none));
    const columns = (node: SceneNode) => touch(node, { columns: toggled(asked.columns, node.id), column: undefined });
    return {
      acts: {
        onOpen: opened,
        isOpen: (node, side) => openOf(asked.open, side, node.id) !== undefined,
        onColumns: columns,
        onColumn: (node, column) => { const name = JSON.stringify([node.id, column]); change({ column: asked.column === name ? undefined : name }); },
      },
      actions: {
        focus: (node) => void centre(node).then((ref) => ref && go(links.lineage(ref, { dir: asked.dir === "both" ? "" : asked.dir, budget: asked.budget === 60 ? "" : asked.budget, as_of: asked.asOf, valid_at: asked.validAt, lens: asked.lens === "logical" ? asked.lens : "", hide: written(asked.hide), by: asked.by })), () => toast(t.error.none)),
        expand,
        columns,
        open: opened,
        pin: (node) => change({ pin: asked.pin === node.id ? undefined : node.id }),
        compare: (node) => both(node, (a, b) => links.lineage(a, { compare: b, lens: asked.lens === "versions" ? "" : asked.lens })),
        ways: (node) => both(node, (a, b) => links.lineage(a, { to: b, lens: asked.lens === "logical" ? asked.lens : "", as_of: asked.asOf })),
        close: () => change({ sel: NONE, edge: undefined }),
      },
    };
  }, [asked, pinned, touched]);
}

function Graph({ asked }: { asked: Asked }) {
  const { main, scene, lines, kinds, spanned, news } = useScene(asked);
  const drawn = useLayout(scene);
  const [text, setText] = useState("");
  const [hit, setHit] = useState(0);
  const [keys, setKeys] = useState(false);
  const controls = useRef<Controls>(null);
  const finder = useRef<HTMLInputElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const touched = useRef<string>(undefined);
  const shown = drawn?.scene;
  const chosen = asked.edge || asked.sel === NONE ? undefined : (asked.sel ?? (asked.compare || asked.to ? undefined : shown?.focus[0]));
  const node = shown?.nodes.find((one) => one.id === chosen);
  const pinned = shown?.nodes.find((one) => one.id === asked.pin);
  const edge = shown?.edges.find((one) => key(one.src, one.dst) === asked.edge);
  const lit = useMemo(() => (asked.light && shown ? new Set([...having(shown, asked.light), ...shown.focus]) : litOf(shown?.edges ?? [], node?.id, pinned?.id)), [shown, node?.id, pinned?.id, asked.light]);
  const hits = useMemo(() => search(shown?.nodes ?? [], text), [shown, text]);
  const found = useMemo(() => new Set(hits.map((one) => one.id)), [hits]);
  const columns = useMemo(() => {
    const [card, column] = chosenColumn(asked.column);
    return { lines, way: column ? way(lines, card, column) : new Set<string>() };
  }, [lines, asked.column]);
  const { acts, actions } = useActs(asked, pinned, touched);

  const choose = useCallback((id: string | undefined, more = false) => change(more && id ? { pin: id, edge: undefined } : { sel: id ?? NONE, edge: undefined }), []);
  const chooseEdge = useCallback((id: string) => change({ edge: id, sel: undefined }), []);
  const onView = useCallback((view: Viewport) => change({ v: [Math.round(view.x), Math.round(view.y), Math.round(view.zoom * 1000) / 1000].join(",") }), []);
  const take = useCallback((one: Controls) => { controls.current = one; }, []);
  const show = (id: string) => {
    choose(id);
    controls.current?.show(id);
  };
  const press = (event: KeyboardEvent) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || !drawn) return;
    const side = WAYS[event.key as keyof typeof WAYS];
    const from = node ?? drawn.scene.nodes.find((one) => one.focus) ?? drawn.scene.nodes[0];
    const act: Record<string, () => void> = {
      f: () => node && actions.focus(node), e: () => node && (node.shape === "node" ? acts.onOpen(node, "up") : actions.expand(node)), p: () => node && actions.pin(node), d: () => node && actions.compare(node),
      c: () => node && hasColumns(node) && acts.onColumns(node), l: () => change({ edge: edgeAfter(drawn.scene.edges, node?.id ?? edge?.dst, asked.edge), sel: undefined }), o: () => change({ only: !asked.only }),
      "[": () => node && acts.onOpen(node, "up"), "]": () => node && acts.onOpen(node, "down"), "{": () => node && acts.onOpen(node, "up", 3), "}": () => node && acts.onOpen(node, "down", 3), "0": () => controls.current?.fit(), "+": () => controls.current?.zoom(1.25), "=": () => controls.current?.zoom(1.25), "-": () => controls.current?.zoom(0.8),
      Escape: () => change({ sel: NONE, edge: undefined, pin: undefined, column: undefined, light: undefined }), Enter: () => from && choose(from.id), t: () => document.getElementById("time")?.focus(), h: () => setKeys(true),
    };
    if (side && from) {
      event.preventDefault();
      const next = node ? step(drawn.scene, drawn.layout.at, from.id, side) : from.id;
      if (next) show(next);
    } else if (act[event.key]) {
      event.preventDefault();
      act[event.key]?.();
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
    show(one.id);
  };
  const View = (shown?.nodes.length ?? 0) > MOST_ELEMENTS ? CanvasView : FlowView;
  const name = asked.compare ? `${asked.ref} · ${asked.compare}` : asked.to ? `${asked.ref} → ${asked.to}` : asked.lens === "overview" ? t.lineage.lenses.overview : asked.ref;
  return (
    <div className="lineage">
      <Head
        crumbs={[{ label: t.lineage.title, href: "#/lineage" }, { label: name }]}
        actions={
          <>
            <button type="button" className="button hide-small" onClick={() => void copy(window.location.href, t.lineage.copied)}><Share2 size={15} aria-hidden="true" />{t.lineage.share}</button>
            <Popover align="right" name={t.lineage.export} label={<><Download size={15} aria-hidden="true" /><span className="hide-small">{t.lineage.export}</span></>}>
              {(close) => (["svg", "png", "json", "mermaid"] as const).map((kind) => <button key={kind} type="button" className="option" disabled={!drawn} onClick={() => { close(); if (drawn) void exported(kind, drawn, name, lines).catch((error: unknown) => toast(String(error))); }}>{t.lineage[kind]}</button>)}
            </Popover>
          </>
        }
      />
      <h1 className="visually-hidden">{t.lineage.title}: {plain(name)}</h1>
      <div className="stagewrap">
        <Tools asked={asked} kinds={kinds} shown={shown?.nodes.length ?? 0} total={main.data ? main.data.drawn + main.data.hidden : 0} chosen={node !== undefined} finding={{ text, at: hit, hits, finder, onText: (typed) => { setText(typed); setHit(-1); }, onGo: goTo, onLeave: () => { setText(""); stage.current?.focus(); } }} />
        {asked.compare ? <Sides /> : null}
        {pinned ? <p className="pinnote card" role="status"><Plain>{t.lineage.pinned(title(pinned))}</Plain> <button type="button" className="button plain small" onClick={() => change({ pin: undefined })}>{t.lineage.unpin}</button></p> : null}
        {news.ids.size || news.lines ? <p className="pinnote newsnote card" role="status">{t.lineage.came(news.ids.size, news.lines)} {news.ids.size ? <button type="button" className="button plain small" onClick={() => { const id = [...news.ids].find((one) => drawn?.layout.at[one]); if (id) show(id); }}>{t.lineage.showNew}</button> : null}<button type="button" className="button plain small icon" aria-label={t.lineage.close} onClick={news.seen}><X size={13} aria-hidden="true" /></button></p> : null}
        <div ref={stage} className={`stage ${asked.only && lit.size ? "only" : ""} ${lit.size ? "has-lit" : ""}`} tabIndex={0} role="application" aria-roledescription="graph" aria-label={t.lineage.graphLabel(shown?.nodes.length ?? 0, shown?.edges.length ?? 0)} onKeyDown={press} hidden={asked.table}>
          {main.error && main.data === undefined ? (
            <div className="page"><Problem error={main.error} retry={() => void main.refetch()} />{asked.asOf !== undefined ? <div><button type="button" className="button" onClick={() => change({ as_of: undefined })}>{t.lineage.now}</button></div> : null}</div>
          ) : drawn && !asked.table ? (
            drawn.scene.nodes.length ? <View key={`${asked.ref} ${asked.compare} ${asked.to} ${asked.lens} ${View === CanvasView}`} drawn={drawn} chosen={node?.id} edge={asked.edge} pinned={pinned?.id} lit={lit} found={found} fresh={news.ids} columns={columns} view={asked.view} onChoose={choose} onEdge={chooseEdge} acts={acts} touched={touched} onView={onView} controls={take} /> : <div className="page"><Empty title={t.lineage.emptyTitle}>{t.lineage.emptyHow}</Empty></div>
          ) : asked.table ? null : <div className="page"><Skeleton lines={6} height={48} /></div>}
          <p className="visually-hidden" role="status">{node ? spoken(node) : ""}</p>
        </div>
        {asked.table && shown ? <TableTwin scene={shown} lines={lines} chosen={node?.id} onChoose={choose} /> : null}
        {asked.table ? null : (
          <div className="zoomer card" role="group" aria-label={t.lineage.fit}>
            <button type="button" aria-label={t.lineage.zoomIn} onClick={() => controls.current?.zoom(1.3)}><Plus size={16} aria-hidden="true" /></button>
            <button type="button" aria-label={t.lineage.zoomOut} onClick={() => controls.current?.zoom(0.77)}><Minus size={16} aria-hidden="true" /></button>
            <button type="button" aria-label={t.lineage.fit} onClick={() => { change({ v: undefined }); controls.current?.fit(); }}><Maximize size={15} aria-hidden="true" /></button>
          </div>
        )}
        {shown && !asked.table ? <Legend scene={shown} chosen={node?.id} trait={asked.light} cut={main.data?.cut ? main.data.cut_reason : ""} onChoose={show} /> : null}
        {spanned ? <TimeBar scene={spanned} clock={asked.clock} at={asked.clock === "valid" ? asked.validAt : asked.asOf} onChange={(at) => change({ as_of: asked.clock === "valid" ? undefined : at, valid_at: asked.clock === "valid" ? at : undefined })} /> : <div className="timebar card" aria-hidden="true" />}
      </div>
      {shown && (node || edge) ? <Inspector node={node} edge={edge} scene={shown} pinned={pinned} expanded={asked.expand} isOpen={acts.isOpen} actions={actions} onChoose={show} onEdge={chooseEdge} /> : null}
      {keys ? <Dialog small title={t.settings.keys} onClose={() => setKeys(false)}>{t.lineage.keys.map(([pressed, what]) => <p key={pressed}><span className="kbd">{pressed}</span> {what}</p>)}</Dialog> : null}
    </div>
  );
}

function chosenColumn(text: string | undefined): [string, string] {
  try {
    const [card, column] = JSON.parse(text ?? "[]") as unknown[];
    return typeof card === "string" && typeof column === "string" ? [card, column] : ["", ""];
  } catch {
    return ["", ""];
  }
}

/** The line of a card that comes after the chosen one, for going through them with a key. */
function edgeAfter(edges: readonly { src: string; dst: string }[], card: string | undefined, chosen: string | undefined): string | undefined {
  const mine = edges.filter((one) => card === undefined || one.src === card || one.dst === card).map((one) => key(one.src, one.dst));
  return mine[(mine.indexOf(chosen ?? "") + 1) % mine.length];
}
