// A notebook as its file has it, brought to what is shown of it. It may come from anybody: nothing of it is trusted to have a shape.
export type Output =
  | { kind: "text"; text: string; loud: boolean }
  | { kind: "error"; text: string }
  | { kind: "image"; type: string; data: string }
  | { kind: "markdown"; text: string }
  | { kind: "hidden"; types: string[] };

export interface Cell {
  kind: "code" | "markdown" | "raw";
  source: string;
  count: number | null;
  outputs: Output[];
}

const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const LONGEST = 200_000;

const lines = (value: unknown): string => (Array.isArray(value) ? value.filter((part) => typeof part === "string").join("") : typeof value === "string" ? value : "").slice(0, LONGEST);
const record = (value: unknown): Record<string, unknown> => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function output(given: unknown): Output[] {
  const one = record(given);
  if (one.output_type === "stream") return [{ kind: "text", text: lines(one.text), loud: one.name === "stderr" }];
  if (one.output_type === "error") {
    const trace = list(one.traceback).filter((part) => typeof part === "string").join("\n").slice(0, LONGEST);
    return [{ kind: "error", text: trace || `${lines(one.ename)}: ${lines(one.evalue)}` }];
  }
  const data = record(one.data);
  const image = IMAGES.find((type) => typeof data[type] === "string" || Array.isArray(data[type]));
  if (image) {
    const text = (Array.isArray(data[image]) ? (data[image] as unknown[]).join("") : String(data[image])).replace(/\s+/g, "");
    return /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? [{ kind: "image", type: image, data: text }] : [{ kind: "hidden", types: [image] }];
  }
  if (data["text/markdown"] !== undefined) return [{ kind: "markdown", text: lines(data["text/markdown"]) }];
  if (data["text/plain"] !== undefined) return [{ kind: "text", text: lines(data["text/plain"]), loud: false }];
  const types = Object.keys(data);
  return types.length ? [{ kind: "hidden", types: types.slice(0, 4) }] : [];
}

/** The cells of a notebook's text (format 3 or 4). Raises SyntaxError: it is no JSON; Error: it is no notebook. */
export function cellsOf(text: string): Cell[] {
  const book = record(JSON.parse(text));
  const cells = Array.isArray(book.cells) ? book.cells : list(record(list(book.worksheets)[0]).cells);
  if (!cells.length && !Array.isArray(book.cells)) throw new Error("no cells");
  return cells.slice(0, 2000).map((given) => {
    const cell = record(given);
    const count = cell.execution_count ?? cell.prompt_number;
    return {
      kind: cell.cell_type === "code" ? "code" : cell.cell_type === "markdown" ? "markdown" : "raw",
      source: lines(cell.source ?? cell.input),
      count: typeof count === "number" ? count : null,
      outputs: list(cell.outputs).slice(0, 200).flatMap(output),
    };
  });
}
