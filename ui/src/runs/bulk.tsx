import { useQueries, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, Refused, type RunSummary } from "../api/client";
import { Dialog, Plain, Problem, runName, Skeleton, toast } from "../kit/parts";
import { t } from "../text";

const AT_ONCE = 100; // runs of which the server says at once what depends on them

/** What lives on these runs, told before anything is deleted. */
function Dependants({ runs }: { runs: RunSummary[] }) {
  const parts = Array.from({ length: Math.ceil(runs.length / AT_ONCE) }, (_, n) => runs.slice(n * AT_ONCE, (n + 1) * AT_ONCE).map((run) => `run:${run.run_id}`));
  const answers = useQueries({ queries: parts.map((refs) => ({ queryKey: ["dependants", refs], queryFn: ({ signal }: { signal: AbortSignal }) => api.dependants(refs, signal), staleTime: 0, retry: false })) });
  const failed = answers.find((one) => one.error);
  if (failed) return <Problem error={failed.error} retry={() => void failed.refetch()} />;
  if (answers.some((one) => !one.data)) return <Skeleton lines={2} />;
  const names = new Map(runs.map((run) => [`run:${run.run_id}`, runName(run)]));
  const held = answers.flatMap((one) => one.data?.found ?? []).filter((one) => one.count > 0);
  if (!held.length) return <p className="note good" role="status">{t.runs.nothingLives}</p>;
  return (
    <div className="note warn dependants" role="status">
      <p><strong>{t.runs.livesOn(held.length, runs.length)}</strong></p>
      <ul>{held.slice(0, 20).map((one) => <li key={one.ref}><strong>{names.get(one.ref) ?? one.ref}</strong><ul>{one.living.map((line) => <li key={line}><Plain>{line}</Plain></li>)}{one.count > one.living.length ? <li className="muted">{t.runs.more(one.count - one.living.length)}</li> : null}</ul></li>)}</ul>
      {held.length > 20 ? <p className="muted">{t.runs.more(held.length - 20)}</p> : null}
    </div>
  );
}

/** Tag or delete several runs. Each is its own change; what the server refuses is listed with its words. */
export function Bulk({ runs, done, icons }: { runs: RunSummary[]; done: () => void; icons: { tag: ReactNode; trash: ReactNode } }) {
  const client = useQueryClient();
  const [open, setOpen] = useState<"tag" | "delete">();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [refused, setRefused] = useState<{ run: RunSummary; said: string }[]>([]);
  const [at, setAt] = useState<number>();
  const [force, setForce] = useState(false);
  const close = () => { setOpen(undefined); setRefused([]); setForce(false); setValue(""); };
  const carry = async () => {
    const failed: { run: RunSummary; said: string }[] = [];
    for (const [n, run] of runs.entries()) {
      setAt(n);
      try {
        if (open === "tag") await api.tag({ ref: `run:${run.run_id}`, key, value });
        else await api.remove({ ref: `run:${run.run_id}`, reason: value, force });
      } catch (error) {
        failed.push({ run, said: error instanceof Refused ? error.message || t.error.none : String(error) });
      }
    }
    setAt(undefined);
    await client.invalidateQueries();
    setRefused(failed);
    if (failed.length < runs.length) toast(open === "tag" ? t.runs.tagged(runs.length - failed.length) : t.runs.deleted(runs.length - failed.length));
    if (!failed.length) {
      close();
      done();
    }
  };
  return (
    <>
      <button type="button" className="button small" onClick={() => setOpen("tag")}>{icons.tag}{t.runs.bulk}</button>
      <button type="button" className="button small danger" onClick={() => setOpen("delete")}>{icons.trash}{t.runs.remove}</button>
      {open ? (
        <Dialog small title={open === "tag" ? t.runs.tagTitle(runs.length) : t.runs.deleteTitle(runs.length)} onClose={close}>
          <form className="stack" onSubmit={(event) => { event.preventDefault(); void carry(); }}>
            {open === "tag" ? <label className="field">{t.runs.tagKey}<input className="input" required value={key} onChange={(event) => setKey(event.target.value)} /></label> : <><p className="muted">{t.runs.deleteLead}</p><Dependants runs={runs} /></>}
            <label className="field">{open === "tag" ? t.runs.tagValue : t.runs.reason}<input className="input" value={value} onChange={(event) => setValue(event.target.value)} /></label>
            {open === "delete" ? <label className="check"><input type="checkbox" checked={force} onChange={(event) => setForce(event.target.checked)} />{t.runs.force}</label> : null}
            {refused.length ? <div className="note bad" role="alert">{refused.slice(0, 8).map(({ run, said }) => <p key={run.run_id}><strong>{runName(run)}</strong>: <Plain>{said}</Plain></p>)}</div> : null}
            {at !== undefined ? <progress value={at} max={runs.length} aria-label={t.ui.loading} style={{ width: "100%" }} /> : null}
            <div className="row" style={{ justifyContent: "flex-end" }}>
              <button type="button" className="button" onClick={close}>{t.ui.cancel}</button>
              <button type="submit" className={`button ${open === "delete" ? "danger" : "primary"}`} disabled={at !== undefined}>{open === "tag" ? t.runs.bulk : t.runs.remove}</button>
            </div>
          </form>
        </Dialog>
      ) : null}
    </>
  );
}
