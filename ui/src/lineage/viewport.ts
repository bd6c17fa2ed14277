// Where a picture is first looked at: all of it when words can be read then, else what it is about with as much around it as fits.
import type { Layout } from "./layout";

export interface View {
  x: number;
  y: number;
  zoom: number;
}

const PAD = { left: 24, right: 24, top: 66, bottom: 54 };
const LEGIBLE = 0.58; // zoom below which words are hard to read, though they are drawn larger when far away
const [LEAST, MOST] = [0.7, 0.86]; // zoom where not all of it can be read at once: so much that it can, and little is cut off
const AHEAD = 0.78; // the focus stands so far to the right: more lies before it than behind it

/** Zoom below which a card says less in larger words. */
export const FAR = 0.72;

/** The view of a layout in a window of w by h pixels, around a point of it when not all of it can be read at once. */
export function opening(layout: Pick<Layout, "width" | "height" | "at">, focus: { x: number; y: number } | undefined, w: number, h: number): View {
  const [width, height] = [Math.max(1, w - PAD.left - PAD.right), Math.max(1, h - PAD.top - PAD.bottom)];
  const whole = Math.min(1, width / Math.max(1, layout.width), height / Math.max(1, layout.height));
  const zoom = whole >= LEGIBLE || !focus ? whole : Math.min(MOST, Math.max(LEAST, whole * 1.2));
  const x = along(focus?.x ?? 0, layout.width, zoom, width, AHEAD);
  return { zoom, x: PAD.left + uncut(layout, x, zoom, width - ((focus?.x ?? 0) + CARD / 2) * zoom), y: PAD.top + along(focus?.y ?? 0, layout.height, zoom, height, 0.5) };
}

const CARD = 180; // as wide as nearly every layer

/** The offset, moved so that no layer is cut through at the left; unless that goes beyond `most`, where the focus is cut off. */
function uncut(layout: Pick<Layout, "at">, x: number, zoom: number, most: number): number {
  const edge = -x / zoom;
  const starts = Object.values(layout.at).map((spot) => spot.x).filter((start) => start < edge && start > edge - CARD);
  const moved = -Math.min(...starts) * zoom;
  return starts.length && moved <= most ? moved : x;
}

/** The offset that puts a point at a share of the window, without empty space on one side while something is cut off on the other. */
function along(point: number, length: number, zoom: number, room: number, share: number): number {
  const drawn = length * zoom;
  if (drawn <= room) return (room - drawn) / 2;
  return Math.min(0, Math.max(room - drawn, room * share - point * zoom));
}

/** By how much a view must move so that a card of a width is not cut off at the right of a window. */
export const overhang = (spot: { x: number }, width: number, view: View, w: number): number => Math.max(0, (spot.x + width) * view.zoom + view.x - (w - PAD.right));

type Spots = Layout["at"];

/** By how much a new layout has moved what the eye rests on: the first of some cards that is in both, or what came in its place. */
export function drift(old: Spots, now: Spots, ids: readonly (string | undefined)[]): { x: number; y: number } {
  for (const id of ids) {
    const from = id ? old[id] : undefined;
    if (!id || !from) continue;
    const to = now[id] ?? Object.entries(now).filter(([other]) => !old[other]).map(([, spot]) => spot).sort((a, b) => a.x - b.x)[0];
    if (to) return { x: to.x - from.x, y: to.y - from.y };
  }
  return { x: 0, y: 0 };
}
