// Executed notebooks: cells and what they gave, as text and pictures. HTML and scripts of outputs are named, never shown.
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { bytes, type RunDetail } from "../api/client";
import { plain } from "../kit/format";
import { Markdown } from "../kit/markdown";
import { Empty, Plain, Problem, save, Skeleton } from "../kit/parts";
import { t } from "../text";
import { type Cell, cellsOf, type Output } from "./cells";
import { Coloured } from "./console";
import { notebooks } from "./kept";

export default function Notebooks({ run }: { run: RunDetail }) {
  const all = notebooks(run);
  const [at, setAt] = useState(all.length - 1);
  const one = all[Math.min(Math.max(at, 0), all.length - 1)];
  if (!one) return <section className="card"><Empty title={t.notebook.none} code={t.notebook.noneCode}>{t.notebook.noneHow}</Empty></section>;
  return (
    <div className="stack" style={{ gap: 14 }}>
      {all.length > 1 ? <label className="row"><span className="muted">{t.notebook.which}</span><select className="input" value={all.indexOf(one)} onChange={(event) => setAt(Number(event.target.value))}>{all.map((each, n) => <option key={each.sha256 + n} value={n}>{plain(each.path)}</option>)}</select></label> : null}
      <Book digest={one.sha256} name={one.path} failed={one.failed} />
    </div>
  );
}

/** A kept notebook by its digest. */
export function Book({ digest, name, failed }: { digest: string; name: string; failed?: number }) {
  const found = useQuery({ queryKey: ["notebook", digest], queryFn: async () => (await bytes(digest)).text(), staleTime: Number.POSITIVE_INFINITY, retry: false });
  const cells = useMemo(() => {
    try {
      return found.data === undefined ? undefined : cellsOf(found.data);
    } catch {
      return null;
    }
  }, [found.data]);
  if (found.error) return <Problem error={found.error} retry={() => void found.refetch()} />;
  if (cells === undefined) return <Skeleton lines={10} height={24} />;
  return (
    <section className="stack" style={{ gap: 12 }} aria-label={plain(name)}>
      <div className="row wrap spread">
        <span><Plain mono>{name}</Plain> <span className="muted">{cells ? t.notebook.cells(cells.length) : null}</span> {failed ? <span className="badge bad">{t.notebook.failed(failed)}</span> : null}</span>
        <button type="button" className="button small" onClick={() => save(name.split("/").at(-1) ?? "notebook.ipynb", found.data ?? "", "application/x-ipynb+json")}><Download size={14} aria-hidden="true" />{t.ui.download}</button>
      </div>
      {cells ? cells.map((cell, n) => <Shown key={n} cell={cell} />) : <p className="note warn">{t.notebook.unreadable}</p>}
    </section>
  );
}

function Shown({ cell }: { cell: Cell }) {
  if (cell.kind === "markdown") return <div className="cell"><span className="cell-n" /><div><Markdown text={cell.source} /></div></div>;
  return (
    <div className="cell">
      <span className="cell-n mono muted" aria-hidden="true">{cell.kind === "code" ? `[${cell.count ?? " "}]` : ""}</span>
      <div className="stack" style={{ gap: 6 }}>
        {cell.source ? <pre className="code" tabIndex={0}>{plain(cell.source)}</pre> : null}
        {cell.outputs.map((one, n) => <Given key={n} one={one} />)}
      </div>
    </div>
  );
}

function Given({ one }: { one: Output }) {
  if (one.kind === "image") return <Inline type={one.type} data={one.data} />;
  if (one.kind === "markdown") return <Markdown text={one.text} />;
  if (one.kind === "hidden") return <p className="muted">{t.notebook.hidden} <Plain mono>{one.types.join(", ")}</Plain></p>;
  return <div className={one.kind === "error" || one.loud ? "cell-loud" : "cell-out"}><Coloured text={one.text.replace(/\n$/, "")} /></div>;
}

/** A picture from base64, given to the browser as bytes of an image type and nothing else. */
function Inline({ type, data }: { type: string; data: string }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    let made = "";
    try {
      made = URL.createObjectURL(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type }));
      setUrl(made);
    } catch {
      setUrl("");
    }
    return () => URL.revokeObjectURL(made);
  }, [type, data]);
  return url ? <img src={url} alt={t.notebook.picture} style={{ maxWidth: "100%" }} /> : null;
}
