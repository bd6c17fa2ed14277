// What a run printed: virtual lines, colours, search; follows the end while it runs.
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp, Download } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { bytes, type RunDetail } from "../api/client";
import { figure, plain, size } from "../kit/format";
import { linesWith, lineText, marked, type Piece, terminal } from "../kit/ansi";
import { Empty, Plain, Problem, save, Skeleton } from "../kit/parts";
import { t } from "../text";
import { printed, type Printed } from "./kept";

const LINE = 20;
const LONGEST = 4000; // characters of one line that are drawn

export default function Console({ run }: { run: RunDetail }) {
  const all = printed(run);
  const [chosen, setChosen] = useState(0);
  const [follow, setFollow] = useState(run.state === "running"); // goes on when the run ends and the whole output takes the place of its end
  const one = all[Math.min(chosen, all.length - 1)];
  const left = Number((run.facets["lineal.console/1"] as { left_out?: unknown } | undefined)?.left_out ?? 0);
  if (!one) return <section className="card"><Empty title={run.state === "running" ? t.console.notYet : t.console.none}>{t.console.noneHow}</Empty></section>;
  return (
    <section className="card console-card">
      {all.length > 1 ? (
        <div className="row wrap console-bar">
          <label className="row"><span className="muted">{t.console.process}</span>
            <select className="input" value={Math.min(chosen, all.length - 1)} onChange={(event) => setChosen(Number(event.target.value))}>
              {all.map((each, n) => <option key={n} value={n}>{plain(`${each.pid ?? ""} ${(each.command ?? []).map(String).join(" ")}`).slice(0, 90)}</option>)}
            </select>
          </label>
          {left ? <span className="muted">{t.console.leftOut(left)}</span> : null}
        </div>
      ) : null}
      {one.binary ? <p className="muted pad">{t.console.binary(size(one.bytes))}</p> : one.text !== undefined ? <Lines text={String(one.text)} one={one} live={run.state === "running"} name={run.run_id} follow={follow} setFollow={setFollow} /> : one.sha256 ? <Fetched digest={one.sha256} one={one} name={run.run_id} follow={follow} setFollow={setFollow} /> : <p className="muted pad">{t.console.none}</p>}
    </section>
  );
}

interface Follow {
  one: Printed;
  name: string;
  follow: boolean;
  setFollow: (on: boolean) => void;
}

function Fetched({ digest, ...rest }: Follow & { digest: string }) {
  const found = useQuery({ queryKey: ["console", digest], queryFn: async () => (await bytes(digest)).text(), staleTime: Number.POSITIVE_INFINITY });
  if (found.error) return <div className="pad"><Problem error={found.error} retry={() => void found.refetch()} /></div>;
  return found.data === undefined ? <div className="pad"><Skeleton lines={10} height={14} /></div> : <Lines text={found.data} live={false} {...rest} />;
}

function Lines({ text, one, live, name, follow, setFollow }: Follow & { text: string; live: boolean }) {
  const lines = useMemo(() => terminal(text.endsWith("\n") ? text.slice(0, -1) : text), [text]);
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const hits = useMemo(() => linesWith(lines, wanted), [lines, wanted]);
  const rows = useVirtualizer({ count: lines.length, getScrollElement: () => box.current, estimateSize: () => LINE, overscan: 30 });
  const digits = String(lines.length).length;
  const move = (step: number) => {
    if (!hits.length) return;
    const next = (at + step + hits.length) % hits.length;
    setAt(next);
    setFollow(false);
    rows.scrollToIndex(hits[next] ?? 0, { align: "center" });
  };
  // biome-ignore lint: goes to the first hit when what is wanted changes, not when the output grows.
  useEffect(() => {
    setAt(0);
    if (hits[0] !== undefined) rows.scrollToIndex(hits[0], { align: "center" });
  }, [wanted]);
  // biome-ignore lint: the end is followed as lines arrive.
  useEffect(() => {
    if (follow) rows.scrollToIndex(lines.length - 1, { align: "end" });
  }, [lines, follow]);
  const current = hits[at];
  return (
    <>
      <div className="row wrap console-bar">
        <input
          className="input"
          style={{ maxWidth: 260 }}
          placeholder={t.console.find}
          aria-label={t.console.find}
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              event.preventDefault();
              move(event.shiftKey ? -1 : 1);
            }
          }}
        />
        {wanted ? (
          <>
            <span className="muted nowrap" role="status">{hits.length ? t.console.hit(at + 1, hits.length) : t.console.noHit}</span>
            <button type="button" className="button small icon" aria-label={t.console.previous} disabled={!hits.length} onClick={() => move(-1)}><ArrowUp size={14} aria-hidden="true" /></button>
            <button type="button" className="button small icon" aria-label={t.console.next} disabled={!hits.length} onClick={() => move(1)}><ArrowDown size={14} aria-hidden="true" /></button>
          </>
        ) : null}
        <span className="grow" />
        <span className="muted">{live ? t.console.soFar(size(one.bytes)) : t.console.kept(figure(lines.length), size(one.bytes), one.cut ? size(one.cut) : "")}</span>
        {live ? <label className="check"><input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} />{t.console.follow}</label> : null}
        <button type="button" className="button small" onClick={() => save(`${name.slice(0, 12)}.log`, lines.map(lineText).join("\n"))}><Download size={14} aria-hidden="true" />{t.ui.download}</button>
      </div>
      <div
        ref={box}
        className="console"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={t.run.tabs.console}
        onWheel={(event) => { if (event.deltaY < 0) setFollow(false); }}
        onKeyDown={(event) => { if (event.key === "PageUp" || event.key === "ArrowUp" || event.key === "Home") setFollow(false); }}
      >
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map((row) => (
            <div key={row.key} className={`console-line ${row.index === current && wanted ? "current" : ""}`} style={{ transform: `translateY(${row.start}px)` }}>
              <span className="console-number" aria-hidden="true" style={{ width: `${digits + 2}ch` }}>{row.index + 1}</span>
              <Drawn line={lines[row.index] ?? []} wanted={wanted} />
            </div>
          ))}
        </div>
      </div>
    </>
  );
}

function Drawn({ line, wanted }: { line: Piece[]; wanted: string }) {
  const long = lineText(line).length > LONGEST;
  return (
    <span className="console-text">
      {marked(line, wanted, LONGEST).map((piece, n) => (piece.hit ? <mark key={n} className={piece.style}>{piece.text}</mark> : <span key={n} className={piece.style || undefined}>{piece.text}</span>))}
      {long ? <span className="muted">{t.console.longer}</span> : null}
    </span>
  );
}

/** Text with colours, as a whole: a traceback, the output of a notebook's cell. */
export function Coloured({ text }: { text: string }) {
  const lines = useMemo(() => terminal(text.slice(0, 200_000)), [text]);
  return <pre className="code" tabIndex={0}>{lines.slice(0, 2000).map((line, n) => <span key={n}>{line.map((piece, m) => <span key={m} className={piece.style || undefined}>{piece.text.slice(0, LONGEST)}</span>)}{"\n"}</span>)}{lines.length > 2000 ? <Plain>{t.runs.more(lines.length - 2000)}</Plain> : null}</pre>;
}
