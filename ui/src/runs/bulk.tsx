import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, Refused, type RunSummary } from "../api/client";
import { Dialog, Plain, runName, toast } from "../kit/parts";
import { t } from "../text";

/** Tag or delete several runs. Each is its own change; what the server refuses is listed with its words. */
export function Bulk({ runs, done, icons }: { runs: RunSummary[]; done: () => void; icons: { tag: ReactNode; trash: ReactNode } }) {
  const client = useQueryClient();
  const [open, setOpen] = useState<"tag" | "delete">();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [refused, setRefused] = useState<{ run: RunSummary; said: string }[]>([]);
  const [at, setAt] = useState<number>();
  const carry = async () => {
    const failed: { run: RunSummary; said: string }[] = [];
    for (const [n, run] of runs.entries()) {
      setAt(n);
      try {
        if (open === "tag") await api.tag({ ref: `run:${run.run_id}`, key, value });
        else await api.remove({ ref: `run:${run.run_id}`, reason: value, force: false });
      } catch (error) {
        failed.push({ run, said: error instanceof Refused ? error.message || t.error.none : String(error) });
      }
    }
    setAt(undefined);
    await client.invalidateQueries();
    setRefused(failed);
    if (failed.length < runs.length) toast(open === "tag" ? t.runs.tagged(runs.length - failed.length) : t.runs.deleted(runs.length - failed.length));
    if (!failed.length) {
      setOpen(undefined);
      done();
    }
  };
  return (
    <>
      <button type="button" className="button small" onClick={() => setOpen("tag")}>{icons.tag}{t.runs.bulk}</button>
      <button type="button" className="button small danger" onClick={() => setOpen("delete")}>{icons.trash}{t.runs.remove}</button>
      {open ? (
        <Dialog small title={open === "tag" ? t.runs.tagTitle(runs.length) : t.runs.deleteTitle(runs.length)} onClose={() => setOpen(undefined)}>
          <form className="stack" onSubmit={(event) => { event.preventDefault(); void carry(); }}>
            {open === "tag" ? <label className="field">{t.runs.tagKey}<input className="input" required value={key} onChange={(event) => setKey(event.target.value)} /></label> : <p className="muted">{t.runs.deleteLead}</p>}
            <label className="field">{open === "tag" ? t.runs.tagValue : t.runs.reason}<input className="input" value={value} onChange={(event) => setValue(event.target.value)} /></label>
            {refused.length ? <div className="note bad" role="alert">{refused.slice(0, 8).map(({ run, said }) => <p key={run.run_id}><strong>{runName(run)}</strong>: <Plain>{said}</Plain></p>)}</div> : null}
            {at !== undefined ? <progress value={at} max={runs.length} aria-label={t.ui.loading} style={{ width: "100%" }} /> : null}
            <div className="row" style={{ justifyContent: "flex-end" }}>
              <button type="button" className="button" onClick={() => setOpen(undefined)}>{t.ui.cancel}</button>
              <button type="submit" className={`button ${open === "delete" ? "danger" : "primary"}`} disabled={at !== undefined}>{open === "tag" ? t.runs.bulk : t.runs.remove}</button>
            </div>
          </form>
        </Dialog>
      ) : null}
    </>
  );
}
