import { type Box, layered } from "./layout";

self.onmessage = (event: MessageEvent<{ id: number; boxes: Box[]; edges: [string, string][] }>) => {
  const { id, boxes, edges } = event.data;
  self.postMessage({ id, layout: layered(boxes, edges) });
};
