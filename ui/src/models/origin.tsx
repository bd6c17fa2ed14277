// Where a version comes from, in one line: sources, steps, data, the version, where it went.
import { useQuery } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { Fragment } from "react";
import { api } from "../api/client";
import { links, to } from "../app/route";
import { Plain, Problem, Skeleton, Tile } from "../kit/parts";
import { t } from "../text";

export function Origin({ reference, targets }: { reference: string; targets: string[] }) {
  const found = useQuery({ queryKey: ["trace", reference], queryFn: ({ signal }) => api.trace({ ref: reference, direction: "up", budget: 2000 }, signal), staleTime: 30_000 });
  if (found.error) return <Problem error={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <Skeleton lines={1} height={34} />;
  const { nodes, edges, root } = found.data;
  const made = new Set(edges.map((edge) => edge.dst));
  const others = nodes.filter((node) => node.id !== root);
  const sources = others.filter((node) => node.type === "version" && !made.has(node.id));
  const unknown = sources.filter((node) => node.origin_unknown).length;
  const between = others.filter((node) => node.type === "version" && made.has(node.id));
  const runs = others.filter((node) => node.type === "run");
  const jobs = [...new Set(runs.map((node) => node.label))];
  const steps = [
    { kind: "dataset", title: t.models.sources(sources.length), sub: unknown ? t.models.unknown(unknown) : t.models.known, href: links.lineage(reference, { dir: "up" }) },
    { kind: "job", title: t.models.steps(jobs.length), sub: jobs.length > 1 ? t.models.andMore(jobs[0] ?? "", jobs.length - 1) : (jobs[0] ?? ""), href: links.lineage(reference, { dir: "up" }) },
    { kind: "features", title: t.models.data(between.length), sub: between.at(-1)?.ref.split("/").at(-1) ?? "", href: links.lineage(reference, { dir: "up" }) },
    { kind: "model", title: reference, sub: t.models.thisModel, href: to("/version", { ref: reference }) },
    ...(targets.length ? [{ kind: "deployment", title: t.models.liveCount(targets.length), sub: targets.join(", "), href: to("/deployments") }] : []),
  ].filter((step) => !/^0 /.test(step.title));
  return (
    <div className="flowline">
      {steps.map((step, n) => (
        <Fragment key={step.kind}>
          {n ? <ChevronRight aria-hidden="true" /> : null}
          <a className="step" href={step.href}><Tile kind={step.kind} /><span className="stack" style={{ gap: 0 }}><b className="cut"><Plain cut>{step.title}</Plain></b><span className="muted cut" style={{ fontSize: 12.5, maxWidth: 180 }}><Plain cut>{step.sub}</Plain></span></span></a>
        </Fragment>
      ))}
    </div>
  );
}
