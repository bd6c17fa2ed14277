// What a program printed, as lines of coloured pieces. Escape sequences become classes of ours or nothing; no text becomes markup.
import { plain } from "./format";

export interface Piece {
  text: string;
  style: string; // classes of base.css, separated by blanks
}

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
// CSI, OSC (ended by BEL or ST), and the two-letter escapes.
const ESCAPE = /\u001b(?:\[([0-9;:]*)([ -/]*[@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|[PX^_][^\u001b]*(?:\u001b\\|$)|[ -/]*[0-~])/g;

interface Pen {
  colour: string;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

const clean = (): Pen => ({ colour: "", bold: false, dim: false, italic: false, underline: false });
const classes = (pen: Pen): string => [pen.colour && `ansi-${pen.colour}`, pen.bold && "ansi-bold", pen.dim && "ansi-dim", pen.italic && "ansi-italic", pen.underline && "ansi-under"].filter(Boolean).join(" ");

/** The pen after `ESC [ codes m`. 256 and true colours are brought to the nearest of the eight. */
function turn(pen: Pen, codes: string): void {
  const all = (codes || "0").split(/[;:]/).map(Number);
  for (let n = 0; n < all.length; n += 1) {
    const code = all[n] ?? 0;
    if (code === 0) Object.assign(pen, clean());
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 3) pen.italic = true;
    else if (code === 4) pen.underline = true;
    else if (code === 22) pen.bold = pen.dim = false;
    else if (code === 23) pen.italic = false;
    else if (code === 24) pen.underline = false;
    else if (code >= 30 && code <= 37) pen.colour = COLOURS[code - 30] ?? "";
    else if (code >= 90 && code <= 97) pen.colour = COLOURS[code - 90] ?? "";
    else if (code === 39) pen.colour = "";
    else if (code === 38 || code === 48) {
      const five = all[n + 1] === 5;
      const colour = five ? ofTable(all[n + 2] ?? 0) : all[n + 1] === 2 ? nearest(all[n + 2] ?? 0, all[n + 3] ?? 0, all[n + 4] ?? 0) : "";
      if (code === 38) pen.colour = colour;
      n += five ? 2 : all[n + 1] === 2 ? 4 : 0;
    }
  }
}

function ofTable(code: number): string {
  if (code < 16) return COLOURS[code % 8] ?? "";
  if (code >= 232) return code < 244 ? "black" : "white";
  const cube = code - 16;
  return nearest(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51);
}

function nearest(red: number, green: number, blue: number): string {
  const bits = [red, green, blue].map((value) => value > 127);
  return COLOURS[(bits[0] ? 1 : 0) + (bits[1] ? 2 : 0) + (bits[2] ? 4 : 0)] ?? "";
}

/** What stands on a line after its carriage returns and backspaces, as a terminal shows it: the last of a progress bar. */
function overwritten(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const last = text.lastIndexOf("\r");
  return last < 0 ? text : text.slice(last + 1) || text.slice(text.lastIndexOf("\r", last - 1) + 1, last);
}

/** Lines as they were printed, without escapes; a colour that was switched on goes on over the end of a line. */
export function terminal(text: string): Piece[][] {
  const pen = clean();
  return text.split("\n").map((raw) => {
    const pieces: Piece[] = [];
    const line = overwritten(raw);
    let from = 0;
    const add = (part: string) => {
      const shown = plain(part);
      const style = classes(pen);
      const before = pieces.at(-1);
      if (!shown) return;
      if (before && before.style === style) before.text += shown;
      else pieces.push({ text: shown, style });
    };
    ESCAPE.lastIndex = 0;
    for (let found = ESCAPE.exec(line); found; found = ESCAPE.exec(line)) {
      add(line.slice(from, found.index));
      if (found[2] === "m") turn(pen, found[1] ?? "");
      from = found.index + found[0].length;
    }
    add(line.slice(from));
    return pieces;
  });
}

export const lineText = (line: readonly Piece[]): string => line.map((piece) => piece.text).join("");

/** The lines in which a text occurs, letter case aside, by number. */
export function linesWith(lines: readonly (readonly Piece[])[], wanted: string): number[] {
  const text = wanted.toLowerCase();
  if (!text) return [];
  return lines.flatMap((line, n) => (lineText(line).toLowerCase().includes(text) ? [n] : []));
}

/** A line cut where the wanted text begins and ends; `hit` marks it. At most `most` characters of the line. */
export function marked(line: readonly Piece[], wanted: string, most: number): (Piece & { hit?: boolean })[] {
  const text = lineText(line).slice(0, most);
  const cuts: [number, number][] = [];
  const low = text.toLowerCase();
  const part = wanted.toLowerCase();
  for (let at = part ? low.indexOf(part) : -1; at >= 0; at = low.indexOf(part, at + part.length)) cuts.push([at, at + part.length]);
  const found: (Piece & { hit?: boolean })[] = [];
  let from = 0;
  for (const piece of line) {
    const end = Math.min(from + piece.text.length, text.length);
    let at = from;
    for (const [start, stop] of cuts) {
      if (stop <= at || start >= end) continue;
      if (start > at) found.push({ text: text.slice(at, start), style: piece.style });
      found.push({ text: text.slice(Math.max(at, start), Math.min(stop, end)), style: piece.style, hit: true });
      at = Math.min(stop, end);
    }
    if (at < end) found.push({ text: text.slice(at, end), style: piece.style });
    from = end;
    if (from >= text.length) break;
  }
  return found;
}
