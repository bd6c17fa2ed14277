import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, type Schemas } from "../api/client";
import { Chart, type Curve } from "../kit/chart";
import { numeric } from "../kit/format";
import { Loaded, Panel } from "../kit/parts";
import { t } from "../text";

/** The training curves of some versions over each other, one metric at a time. */
export default function Curves({ versions }: { versions: Schemas["ModelVersion"][] }) {
  const runs = versions.flatMap((version) => (version.run ? [`run:${version.run.run_id}`] : []));
  const found = useQuery({ queryKey: ["charts", runs.join()], queryFn: ({ signal }) => api.charts({ runs, keys: [], points: 400 }, signal), enabled: runs.length > 0, staleTime: 10_000 });
  const [wanted, setWanted] = useState("");
  const keys = useMemo(() => [...new Set((found.data?.charts ?? []).filter((chart) => chart.step.length > 1).map((chart) => chart.key))], [found.data]);
  const key = keys.includes(wanted) ? wanted : keys[0];
  const curves = useMemo<Curve[]>(
    () => versions.flatMap((version) => (found.data?.charts ?? []).filter((chart) => chart.run_id === version.run?.run_id && chart.key === key && chart.step.length > 1).map((chart) => ({ label: `v${version.number}${version.aliases.length ? ` ${version.aliases.join(", ")}` : ""}`, x: chart.step, y: chart.value.map(numeric) }))),
    [versions, found.data, key],
  );
  if (!runs.length) return null;
  return (
    <Panel title={t.models.curves} aside={keys.length > 1 ? <select className="input" aria-label={t.models.metrics} value={key} onChange={(event) => setWanted(event.target.value)}>{keys.map((one) => <option key={one}>{one}</option>)}</select> : key}>
      <Loaded of={found} lines={3} height={60}>{() => (curves.length ? <Chart curves={curves} height={230} legend dashed={curves.map((_, n) => n).filter((n) => n > 0)} /> : <p className="muted">{t.models.nocurves}</p>)}</Loaded>
    </Panel>
  );
}
