// Layouts are made in a worker, one at a time, and remembered by what they were made from.
import { useEffect, useMemo, useState } from "react";
import { key, type Layout } from "./layout";
import { boxOf, type Scene } from "./scene";
import { layouter } from "./worker";

const kept = new Map<string, Layout>();
const KEEP = 24;
const worker = layouter();
let counter = 0;
const waiting = new Map<number, (layout: Layout) => void>();

worker.onmessage = (event: MessageEvent<{ id: number; layout: Layout }>) => {
  performance.measure("layout", "layout-asked");
  waiting.get(event.data.id)?.(event.data.layout);
  waiting.delete(event.data.id);
};

function ask(boxes: ReturnType<typeof boxOf>[], edges: [string, string][]): Promise<Layout> {
  const id = (counter += 1);
  performance.mark("layout-asked");
  worker.postMessage({ id, boxes, edges });
  return new Promise((resolve) => waiting.set(id, resolve));
}

export interface Drawn {
  scene: Scene;
  layout: Layout;
}

/** The scene with its layout; the last one until the next is there, so that nothing flickers. */
export function useLayout(scene: Scene | undefined): Drawn | undefined {
  const [drawn, setDrawn] = useState<Drawn>();
  const name = useMemo(() => (scene ? JSON.stringify([scene.nodes.map(boxOf), scene.edges.map((edge) => key(edge.src, edge.dst))]) : ""), [scene]);
  useEffect(() => {
    if (!scene) return;
    let current = true;
    const known = kept.get(name);
    if (known) {
      setDrawn({ scene, layout: known });
      return;
    }
    void ask(scene.nodes.map(boxOf), scene.edges.map((edge) => [edge.src, edge.dst])).then((layout) => {
      kept.set(name, layout);
      if (kept.size > KEEP) kept.delete(kept.keys().next().value as string);
      if (current) setDrawn({ scene, layout });
    });
    return () => {
      current = false;
    };
  }, [scene, name]);
  return drawn;
}
