// The files that a run wrote: a list, and a look at the one that is chosen. Nothing in them is ever run.
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { Suspense, useEffect, useState } from "react";
import { api, bytes, Refused, type RunDetail } from "../api/client";
import { change, linkOf, usePlace } from "../app/route";
import { figure, plain, size } from "../kit/format";
import { later } from "../kit/later";
import { Empty, Loaded, Panel, Plain, Problem, save, Skeleton, Tile, toast } from "../kit/parts";
import { t } from "../text";

const Book = later(async () => (await import("./notebook")).Book);
const Notes = later(async () => (await import("../kit/markdown")).Markdown);
const TEXT = 2_000_000; // bytes of a text that is shown
const IMAGE = 20_000_000;

type Look = "image" | "csv" | "tsv" | "parquet" | "notebook" | "markdown" | "text";

/** How a file is looked at, by its name. */
export function lookOf(name: string): Look {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  if (["png", "jpg", "jpeg", "gif", "webp"].includes(ending)) return "image";
  if (ending === "pq" || ending === "parquet") return "parquet";
  if (ending === "csv" || ending === "tsv") return ending;
  if (ending === "ipynb") return "notebook";
  return ending === "md" ? "markdown" : "text";
}

export function Files({ run }: { run: RunDetail }) {
  const { query } = usePlace();
  const open = query.get("file");
  const chosen = run.outputs.find((file) => file.version === open);
  if (!run.outputs.length) return <section className="card"><Empty title={t.run.nooutputs} /></section>;
  return (
    <div className="grid">
      <div className="s4"><Panel title={t.run.tabs.files} aside={figure(run.outputs.length)}>
        <ul className="stack filelist">
          {run.outputs.slice(0, 2000).map((file) => (
            <li key={file.version + file.role}>
              <button type="button" className="button plain" aria-pressed={file.version === open} onClick={() => change({ file: file.version })}>
                <Tile kind={file.kind} /><span className="cut grow"><Plain cut>{file.path ?? file.uri}</Plain></span><span className="muted nowrap">{size(file.size)}</span>
              </button>
            </li>
          ))}
        </ul>
      </Panel></div>
      <div className="s8"><Panel title={chosen ? <a href={linkOf(chosen.version, chosen.kind)}><Plain>{chosen.path ?? chosen.uri}</Plain></a> : t.run.tabs.files}>
        {chosen?.digest ? <Kept key={chosen.digest} digest={chosen.digest} name={chosen.path ?? chosen.uri} bytes={chosen.size} /> : <p className="muted">{chosen ? `${t.datasets.reason}: ${plain(chosen.reason) || t.value.unknown}` : t.files.choose}</p>}
      </Panel></div>
    </div>
  );
}

/** Kept bytes as what their name says they are; what is not kept says so. */
export function Kept({ digest, name = "", bytes: large, diff }: { digest: string; name?: string; bytes?: number | null; diff?: boolean }) {
  const look = diff ? "text" : lookOf(name);
  return (
    <div className="stack">
      {look === "csv" || look === "tsv" || look === "parquet" ? <Rows digest={digest} format={look} /> : look === "notebook" ? <Suspense fallback={<Skeleton />}><Book digest={digest} name={name} /></Suspense> : <Whole digest={digest} name={name} look={look} large={large ?? 0} diff={diff} />}
      {name && look !== "notebook" ? <div><button type="button" className="button small" onClick={() => void bytes(digest).then((blob) => save(name.split("/").at(-1) ?? "file", blob), (error: Error) => toast(error.message))}><Download size={14} aria-hidden="true" />{t.ui.download}</button></div> : null}
    </div>
  );
}

/** What to say of bytes that could not be had. */
function Missing({ error, retry }: { error: unknown; retry: () => void }) {
  if (error instanceof Refused && error.status === 404) return <Empty title={t.files.notKept}>{t.files.notKeptHow}</Empty>;
  return <Problem error={error} retry={retry} />;
}

function Rows({ digest, format }: { digest: string; format: "csv" | "tsv" | "parquet" }) {
  const found = useQuery({ queryKey: ["preview", digest, format], queryFn: ({ signal }) => api.preview({ digest, format, rows: 100 }, signal), staleTime: Number.POSITIVE_INFINITY, retry: false });
  if (found.error) return <Missing error={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <Skeleton lines={8} height={22} />;
  const { columns, types, rows, total, cut, reason } = found.data;
  if (reason) return <p className="note warn"><Plain>{reason}</Plain></p>;
  return (
    <div className="stack">
      <p className="muted">{t.files.rows(rows.length, total, cut)} · {t.files.columns(columns.length)}</p>
      <div className="tablewrap preview" tabIndex={0} role="region" aria-label={t.files.table}>
        <table className="list">
          <thead><tr><th className="num muted">#</th>{columns.map((name, n) => <th key={n}><Plain>{name}</Plain>{types[n] ? <div className="muted type"><Plain>{types[n]}</Plain></div> : null}</th>)}</tr></thead>
          <tbody>{rows.map((row, n) => <tr key={n}><td className="num muted">{n + 1}</td>{columns.map((_, m) => <td key={m} className="mono">{row[m] === null || row[m] === undefined ? <span className="muted">{t.files.null}</span> : <Plain cut>{row[m]}</Plain>}</td>)}</tr>)}</tbody>
        </table>
      </div>
    </div>
  );
}

function Whole({ digest, name, look, large, diff }: { digest: string; name: string; look: Look; large: number; diff?: boolean }) {
  const allowed = look === "image" ? IMAGE : TEXT;
  const found = useQuery({ queryKey: ["bytes", digest], queryFn: () => bytes(digest), staleTime: Number.POSITIVE_INFINITY, retry: false, enabled: large <= allowed });
  const text = useQuery({ queryKey: ["text", digest], enabled: look !== "image" && found.data !== undefined && found.data.size <= TEXT, queryFn: async () => (await found.data?.text()) ?? "", staleTime: Number.POSITIVE_INFINITY });
  if (large > allowed) return <p className="muted">{t.files.large(size(large))}</p>;
  if (found.error) return <Missing error={found.error} retry={() => void found.refetch()} />;
  return (
    <Loaded of={found} lines={5}>
      {(blob) => {
        if (look === "image") return <Picture blob={blob} name={name} />;
        if (blob.size > TEXT) return <p className="muted">{t.files.large(size(blob.size))}</p>;
        if (text.data === undefined) return <Skeleton />;
        if (diff) return <Patch text={text.data} />;
        if (text.data.includes("\u0000")) return <p className="muted">{t.files.noText(size(blob.size))}</p>;
        if (look === "markdown") return <Suspense fallback={<Skeleton />}><Notes text={text.data} /></Suspense>;
        return <pre className="code" tabIndex={0}>{plain(pretty(name, text.data))}</pre>;
      }}
    </Loaded>
  );
}

/** JSON with its structure to be seen; anything else as it is. */
function pretty(name: string, text: string): string {
  if (!/\.json$/i.test(name) || text.length > 200_000 || text.trim().includes("\n")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Picture({ blob, name }: { blob: Blob; name: string }) {
  const [url, setUrl] = useState("");
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
    const made = URL.createObjectURL(new Blob([blob], { type: `image/${ending === "jpg" ? "jpeg" : ending}` }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob, name]);
  if (broken) return <p className="note warn">{t.files.noPicture}</p>;
  return url ? <img src={url} alt={plain(name)} className="picture" onError={() => setBroken(true)} /> : null;
}

/** A patch with its added and removed lines coloured. */
export function Patch({ text }: { text: string }) {
  const lines = plain(text).split("\n");
  return (
    <div className="code" tabIndex={0}>
      {lines.slice(0, 5000).map((line, n) => <span key={n} className={line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : line.startsWith("@@") ? "at" : undefined}>{line.slice(0, 4000)}{"\n"}</span>)}
      {lines.length > 5000 ? <span className="muted">{t.runs.more(lines.length - 5000)}</span> : null}
    </div>
  );
}
