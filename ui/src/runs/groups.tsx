// Runs grouped by a field: a row per value with how they went and what a metric did, which opens to its runs.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChevronDown, ChevronRight } from "lucide-react";
import { Fragment, useState } from "react";
import { api, type Schemas } from "../api/client";
import { LIVE, pace } from "../app/live";
import { change, to } from "../app/route";
import { better, figure, plain } from "../kit/format";
import { Loaded, Plain, Time } from "../kit/parts";
import { RunTable } from "../more/home";
import { count, t } from "../text";
import { field, within } from "./filter";

type Group = Schemas["RunGroup"];
const OWN = ["job", "state", "actor", "name", "kind", "group"];
const SHOWN = 50;

/** By which field the table is grouped, chosen from those that runs have. */
export function GroupBy({ by }: { by: string }) {
  const fields = useQuery({ queryKey: ["fields"], queryFn: ({ signal }) => api.fields(signal), staleTime: 30_000 });
  return (
    <label className="row"><span className="muted">{t.runs.group}</span>
      <select className="input" value={by} style={{ maxWidth: 170 }} onChange={(event) => change({ by: event.target.value, metric: event.target.value ? undefined : "" })}>
        <option value="">{t.runs.nogroup}</option>
        {OWN.map((one) => <option key={one} value={one}>{one}</option>)}
        {(["params", "metrics", "tags"] as const).map((scope) => fields.data?.[scope].length ? (
          <optgroup key={scope} label={t.runs[scope]}>{fields.data[scope].slice(0, 500).map((key) => <option key={key} value={`${scope}.${key}`}>{plain(key).slice(0, 60)}</option>)}</optgroup>
        ) : null)}
      </select>
    </label>
  );
}

export function Groups({ by, where, metric }: { by: string; where: string; metric: string }) {
  const fields = useQuery({ queryKey: ["fields"], queryFn: ({ signal }) => api.fields(signal), staleTime: 30_000 });
  const keys = fields.data?.metrics ?? [];
  const shown = metric === "-" ? "" : metric || keys[0] || "";
  const found = useQuery({ queryKey: ["groups", by, where, shown], queryFn: ({ signal }) => api.runGroups({ by, where, metric: shown, limit: 200 }, signal), enabled: fields.data !== undefined, placeholderData: keepPreviousData, meta: LIVE, refetchInterval: () => pace(10_000) });
  const [open, setOpen] = useState<Set<string>>(new Set());
  const flip = (key: string) => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const low = shown ? better(shown) === false : false;
  return (
    <section className="card flush groups">
      <div className="row wrap console-bar">
        <label className="row"><span className="muted">{t.runs.groupMetric}</span>
          <select className="input" style={{ maxWidth: 200 }} value={shown} onChange={(event) => change({ metric: event.target.value || "-" })}>
            <option value="">{t.runs.noMetric}</option>
            {keys.slice(0, 500).map((key) => <option key={key} value={key}>{plain(key).slice(0, 60)}</option>)}
          </select>
        </label>
      </div>
      <Loaded of={found} lines={8} height={30}>
        {(data) => (
          <div className="tablewrap groups-scroll" tabIndex={0} role="region" aria-label={t.runs.group}>
            <table className="list">
              <thead><tr><th><Plain>{by}</Plain></th><th className="num">{t.runs.inAll}</th><th>{t.runs.states}</th>{shown ? <><th className="num"><Plain>{t.runs.bestOf(shown)}</Plain></th><th className="num"><Plain>{t.runs.meanOf(shown)}</Plain></th></> : null}<th>{t.runs.started}</th></tr></thead>
              <tbody>
                {data.groups.map((group) => {
                  const key = group.value === null ? "\u0000" : group.value;
                  const on = open.has(key);
                  return (
                    <Fragment key={key}>
                      <tr>
                        <td><button type="button" className="linkish" aria-expanded={on} aria-label={t.runs.openGroup(group.value === null ? t.runs.lacking : plain(group.value).slice(0, 80))} onClick={() => flip(key)}>{on ? <ChevronDown size={14} aria-hidden="true" /> : <ChevronRight size={14} aria-hidden="true" />} {group.value === null ? <span className="muted">{t.runs.lacking}</span> : <Plain>{group.value}</Plain>}</button></td>
                        <td className="num">{count(group.runs)}</td>
                        <td><States group={group} /></td>
                        {shown ? <><td className="num">{figure(low ? group.minimum : group.maximum)}</td><td className="num" title={group.minimum === null ? undefined : `${figure(group.minimum)} – ${figure(group.maximum)}`}>{figure(group.mean)}</td></> : null}
                        <td><Time at={group.last_at} /></td>
                      </tr>
                      {on ? <tr className="opened"><td colSpan={6}><Members where={within(where, by, group)} group={group} order={shown ? `${field("metrics", shown)} ${low ? "asc" : "desc"}` : ""} /></td></tr> : null}
                    </Fragment>
                  );
                })}
              </tbody>
            </table>
            {data.cut ? <p className="muted pad">{t.runs.groupsCut}</p> : null}
          </div>
        )}
      </Loaded>
    </section>
  );
}

function States({ group }: { group: Group }) {
  const ok = group.runs - group.failed - group.running;
  const said = t.runs.groupState(ok, group.failed, group.running);
  return (
    <span className="row" style={{ gap: 8 }}>
      <span className="share-bar" role="img" aria-label={said} title={said}>
        {([["good", ok], ["bad", group.failed], ["info", group.running]] as const).map(([tone, k]) => (k ? <i key={tone} className={tone} style={{ flexGrow: k }} /> : null))}
      </span>
      {group.failed ? <span className="muted small nowrap">{t.runs.groupState(0, group.failed, 0)}</span> : null}
    </span>
  );
}

function Members({ where, group, order }: { where: string; group: Group; order: string }) {
  const found = useQuery({ queryKey: ["runs", "group", where, order], queryFn: ({ signal }) => api.runs({ where, order, limit: SHOWN }, signal), staleTime: 5000 });
  return (
    <div className="members">
      <Loaded of={found} lines={3}>{(data) => <RunTable runs={data.runs} />}</Loaded>
      <p className="pad"><a href={to("/runs", { where, order })}>{t.runs.asFilter(group.runs)}</a></p>
    </div>
  );
}
