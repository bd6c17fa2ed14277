// Up to some 300 cards: elements of the page, drawn by React Flow.
import "@xyflow/react/dist/base.css";
import { BaseEdge, type Edge, type EdgeProps, Handle, MiniMap, type Node, type NodeProps, Position, ReactFlow, ReactFlowProvider, useReactFlow, useStore, useStoreApi, type Viewport } from "@xyflow/react";
import { memo, type RefObject, useEffect, useMemo, useRef } from "react";
import { type Acts, Card, type CardProps, spoken } from "./card";
import { type ColumnLine, ends } from "./columns";
import { halfway, key, path } from "./layout";
import { kindsOf, SIGNS } from "./marks";
import { boxOf, kindOf, type SceneEdge } from "./scene";
import type { Drawn } from "./uselayout";
import { drift, FAR, opening, overhang } from "./viewport";

export interface ViewProps {
  drawn: Drawn;
  chosen?: string;
  edge?: string;
  pinned?: string;
  lit: Set<string>;
  found: Set<string>;
  fresh: Set<string>; // cards that came while the page was looked at
  columns: { lines: ColumnLine[]; way: Set<string> };
  view?: Viewport;
  onChoose: (id: string | undefined, more?: boolean) => void;
  onEdge: (id: string) => void;
  acts: Acts;
  touched: RefObject<string | undefined>; // the card of which something was opened or closed last
  onView: (view: Viewport) => void;
  controls: (controls: Controls) => void;
}

export interface Controls {
  zoom: (factor: number) => void;
  fit: () => void;
  show: (id: string) => void;
}

type CardNode = Node<CardProps & { anchor: number }, "card">;
type RouteEdge = Edge<{ edge: SceneEdge; d: string; middle: [number, number]; faint: boolean; lit: boolean; chosen: boolean }, "route">;
type ColumnEdge = Edge<{ d: string; rule: string; on: boolean; off: boolean }, "column">;

const CardNodeView = memo(function CardNodeView({ data }: NodeProps<CardNode>) {
  return (
    <>
      <Handle type="target" position={Position.Left} isConnectable={false} style={{ top: data.anchor }} />
      <Card {...data} />
      <Handle type="source" position={Position.Right} isConnectable={false} style={{ top: data.anchor }} />
    </>
  );
});

export function classOf(edge: SceneEdge): string {
  return [edge.evidence, edge.also ? "also" : "", edge.loop ? "loop" : "", edge.faint ? "implied" : "", edge.way ? "way" : ""].filter(Boolean).join(" ");
}

const Route = memo(function Route({ data }: EdgeProps<RouteEdge>) {
  if (!data) return null;
  const kinds = kindsOf(data.edge.marks);
  return (
    <>
      <BaseEdge path={data.d} interactionWidth={14} className={`line ${classOf(data.edge)} ${data.faint ? "off" : ""} ${data.lit ? "on" : ""} ${data.chosen ? "chosen" : ""}`} />
      {kinds.map((kind, n) => (
        <g key={kind} className={`sign sign-${kind} ${data.faint ? "off" : ""}`} transform={`translate(${data.middle[0] + (n - (kinds.length - 1) / 2) * 15 - 6.5},${data.middle[1] - 6.5})`}>
          <circle cx="6" cy="6" r="6.5" /><path d={SIGNS[kind]} />
        </g>
      ))}
    </>
  );
});

const ColumnRoute = memo(function ColumnRoute({ data }: EdgeProps<ColumnEdge>) {
  return data ? <BaseEdge path={data.d} interactionWidth={0} className={`line column ${data.rule ? "inferred" : ""} ${data.on ? "on" : ""} ${data.off ? "off" : ""}`} /> : null;
});

const NODES = { card: CardNodeView };
const EDGES = { route: Route, column: ColumnRoute };
const ARRIVING = 3000; // ms in which parts of what the address asks for still come
const NOTHING = new Set<string>();

export function FlowView(props: ViewProps) {
  return <ReactFlowProvider><Flow {...props} /></ReactFlowProvider>;
}

function Flow({ drawn, chosen, edge, pinned, lit, found, fresh, columns, view, onChoose, onEdge, acts, touched, onView, controls }: ViewProps) {
  const flow = useReactFlow();
  const store = useStoreApi();
  // While it moves, the picture is drawn as one layer and without shadows; it is sharp again when it stands.
  const moving = (on: boolean) => store.getState().domNode?.classList.toggle("moving", on);
  const { scene, layout } = drawn;
  const nodes = useMemo<CardNode[]>(
    () =>
      scene.nodes.flatMap((node) => {
        const spot = layout.at[node.id];
        if (!spot) return [];
        const box = boxOf(node);
        return [{ id: node.id, type: "card" as const, position: spot, width: box.w, height: box.h, draggable: false, connectable: false, ariaLabel: spoken(node), data: { node, anchor: box.anchor, chosen: node.id === chosen, pinned: node.id === pinned, faint: lit.size > 0 && !lit.has(node.id), found: found.has(node.id), fresh: fresh.has(node.id), bright: node.columns && columns.way.size ? new Set(node.columns.filter((column) => columns.way.has(`${node.id}\n${column}`))) : NOTHING, acts } }];
      }),
    [scene, layout, chosen, pinned, lit, found, fresh, columns, acts],
  );
  const edges = useMemo<(RouteEdge | ColumnEdge)[]>(
    () => [
      ...scene.edges.flatMap((one) => {
        const points = layout.routes[key(one.src, one.dst)];
        if (!points) return [];
        const on = lit.has(one.src) && lit.has(one.dst);
        const id = key(one.src, one.dst);
        return [{ id, source: one.src, target: one.dst, type: "route" as const, focusable: false, selectable: true, zIndex: 0, data: { edge: one, d: path(points), middle: halfway(points), faint: (lit.size > 0 && !on) || columns.lines.length > 0, lit: on && !columns.lines.length, chosen: id === edge } }];
      }),
      ...columns.lines.flatMap((line) => {
        const points = ends(line, new Map(scene.nodes.map((node) => [node.id, node])), layout.at, (node) => boxOf(node).w);
        const on = columns.way.has(`${line.src}\n${line.from}`) && columns.way.has(`${line.dst}\n${line.into}`);
        return points ? [{ id: line.id, source: line.src, target: line.dst, type: "column" as const, focusable: false, selectable: false, zIndex: 1, data: { d: path(points), rule: line.rule, on, off: columns.way.size > 0 && !on } }] : [];
      }),
    ],
    [scene, layout, lit, edge, columns],
  );
  const whole = useRef(() => flow.getViewport());
  useEffect(() => {
    controls({
      zoom: (factor) => void flow.zoomTo(flow.getZoom() * factor, { duration: 120 }),
      fit: () => void flow.setViewport(whole.current(), { duration: 200 }),
      show: (id) => void flow.fitView({ nodes: [{ id }], maxZoom: Math.max(0.8, flow.getZoom()), minZoom: 0.5, duration: 200 }),
    });
  }, [flow, controls]);
  const seen = (spot?: { x: number; y: number }) => {
    const stage = document.querySelector(".stage");
    return opening(layout, spot, stage?.clientWidth ?? 1000, stage?.clientHeight ?? 700);
  };
  const first = () => {
    const about = scene.nodes.find((node) => node.focus);
    const spot = about && layout.at[about.id];
    return seen(spot && { x: spot.x + 90, y: spot.y + 28 });
  };
  whole.current = () => seen();
  const far = useStore((state) => state.transform[2] < FAR);
  const held = useRef<{ x: number; w: number }>(undefined);
  const card = scene.nodes.find((node) => node.id === chosen);
  const spot = card && layout.at[card.id];
  held.current = card && spot ? { x: spot.x, w: boxOf(card).w } : undefined;
  // The facts beside the graph take room from it: what they are about stays in sight.
  useEffect(() => {
    const element = store.getState().domNode;
    if (!element) return;
    let before = element.clientWidth;
    const watch = new ResizeObserver(() => {
      const now = element.clientWidth;
      const at = flow.getViewport();
      const over = now < before && held.current ? overhang(held.current, held.current.w, at, now) : 0;
      before = now;
      if (over) void flow.setViewport({ ...at, x: at.x - over });
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [flow, store]);
  const before = useRef<Drawn["layout"]>(undefined);
  const born = useRef(Date.now());
  // The first layout is looked at where the address says, or where it can be read; a later one from where the eye rests.
  // biome-ignore lint: only a new layout moves the view.
  useEffect(() => {
    const old = before.current;
    before.current = layout;
    if (!old || (!touched.current && Date.now() - born.current < ARRIVING)) {
      if (!view) void flow.setViewport(first());
      return;
    }
    const moved = drift(old.at, layout.at, [touched.current, chosen, ...scene.focus]);
    touched.current = undefined;
    const at = flow.getViewport();
    const next = { ...at, x: at.x - moved.x * at.zoom, y: at.y - moved.y * at.zoom };
    void flow.setViewport(next);
    onView(next);
  }, [layout]);
  return (
    <ReactFlow
      className={far ? "far" : ""}
      nodes={nodes}
      edges={edges}
      nodeTypes={NODES}
      edgeTypes={EDGES}
      defaultViewport={view ?? first()}
      minZoom={0.05}
      maxZoom={2}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      nodesFocusable={false}
      disableKeyboardA11y
      onlyRenderVisibleElements={nodes.length > 50}
      zoomOnDoubleClick={false}
      onNodeClick={(event, node) => onChoose(node.id, event.shiftKey)}
      onEdgeClick={(_, one) => one.type === "route" && onEdge(one.id)}
      onPaneClick={() => onChoose(undefined)}
      onMoveStart={() => moving(true)}
      onMoveEnd={(event, at) => {
        moving(false);
        if (event) onView(at);
      }}
    >
      <MiniMap pannable zoomable ariaLabel={null} nodeColor={(node) => `var(--k-${["dataset", "features", "model", "run", "group", "deployment", "report"].includes(kindOf((node as CardNode).data.node)) ? kindOf((node as CardNode).data.node) : "other"})`} nodeBorderRadius={6} />
    </ReactFlow>
  );
}
