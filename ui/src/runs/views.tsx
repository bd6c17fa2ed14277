// Views that have a name, kept on the server for everybody of the project: what stands in the address of the table.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Star, X } from "lucide-react";
import { useEffect, useState } from "react";
import { api, Refused } from "../api/client";
import { go, usePlace } from "../app/route";
import { Plain, Popover, toast } from "../kit/parts";
import { t } from "../text";

const MINE = /^\/runs(\?|$)/;

export function Saved() {
  const { query } = usePlace();
  const client = useQueryClient();
  const found = useQuery({ queryKey: ["views"], queryFn: ({ signal }) => api.views(signal), staleTime: 10_000 });
  const [name, setName] = useState("");
  const views = (found.data?.views ?? []).filter((view) => MINE.test(view.address));
  const wanted = query.get("view") ?? "";
  // `#/runs?view=NAME` is a link to a view whatever it leads to by then.
  useEffect(() => {
    if (!wanted || !found.data) return;
    const view = found.data.views.find((one) => one.name === wanted && MINE.test(one.address));
    if (view) go(`#${view.address}`, { replace: true });
    else toast(t.runs.noView(wanted));
  }, [wanted, found.data]);
  const carry = async (asking: Promise<{ views: typeof views }>) => {
    try {
      client.setQueryData(["views"], await asking);
      setName("");
    } catch (error) {
      toast(error instanceof Refused ? error.message || t.error.none : String(error));
    }
  };
  return (
    <Popover label={<><Star size={15} aria-hidden="true" />{t.runs.saved}</>}>
      {(close) => (
        <div className="stack" style={{ width: 270 }}>
          {views.length ? views.map((view) => (
            <div key={view.name} className="row spread" style={{ padding: "0 4px 0 8px" }}>
              <a href={`#${view.address}`} className="cut grow" title={view.actor} onClick={close}><Plain cut>{view.name}</Plain></a>
              <button type="button" className="button plain small icon" aria-label={t.runs.dropView(view.name)} onClick={() => void carry(api.viewDrop(view.name))}><X size={13} aria-hidden="true" /></button>
            </div>
          )) : <p className="muted" style={{ padding: "4px 8px" }}>{t.runs.nosaved}</p>}
          <form className="row" onSubmit={(event) => { event.preventDefault(); void carry(api.viewSave({ name, address: window.location.hash.slice(1) || "/runs" })); }}>
            <input className="input" required maxLength={120} placeholder={t.runs.saveName} aria-label={t.runs.saveName} value={name} onChange={(event) => setName(event.target.value)} />
            <button className="button" type="submit">{t.runs.keep}</button>
          </form>
        </div>
      )}
    </Popover>
  );
}
