import { linkOf, links } from "../app/route";
import { plain } from "../kit/format";
import { Plain, Tile, Time } from "../kit/parts";
import { t } from "../text";
import type { ColumnLine } from "./columns";
import { spokenMarks, spokenTraits } from "./marks";
import { health, kindOf, type Scene, subtitle, title } from "./scene";

/** The same content as the graph, as two tables: for screen readers and for copying. */
export function TableTwin({ scene, lines, chosen, onChoose }: { scene: Scene; lines: ColumnLine[]; chosen?: string; onChoose: (id: string) => void }) {
  const names = new Map(scene.nodes.map((node) => [node.id, title(node)]));
  const sources = (id: string, ends: "src" | "dst") => scene.edges.filter((edge) => edge[ends === "src" ? "dst" : "src"] === id).map((edge) => names.get(edge[ends])).join(", ");
  return (
    <div className="twin stack" tabIndex={0} role="region" aria-label={t.lineage.table}>
      <h2>{t.lineage.cards}: {scene.nodes.length}</h2>
      <table className="list card">
        <thead><tr><th>{t.run.name}</th><th>{t.lineage.kind}</th><th>{t.runs.state}</th><th>{t.lineage.marksTitle}</th><th>{t.lineage.from}</th><th>{t.lineage.to}</th><th>{t.lineage.at}</th><th>{t.lineage.openPage}</th></tr></thead>
        <tbody>
          {[...scene.nodes].sort((a, b) => a.layer - b.layer || a.at - b.at).map((node) => (
            <tr key={node.id} className={node.id === chosen ? "picked" : ""}>
              <td><div className="row"><Tile kind={kindOf(node)} /><button type="button" className="linkish" onClick={() => onChoose(node.id)}><Plain cut>{title(node)}</Plain></button> <span className="muted"><Plain>{subtitle(node)}</Plain></span></div></td>
              <td>{kindOf(node)}{node.count > 1 ? ` ×${node.count}` : ""}</td><td><span className="state"><i className={`dot ${health(node).tone}`} aria-hidden="true" />{health(node).word}{node.side ? ` · ${t.lineage.legend[node.side]}` : ""}</span></td>
              <td>{[...spokenMarks(node.marks), ...spokenTraits(node)].join(", ")}</td>
              <td className="others"><Plain>{sources(node.id, "src")}</Plain>{node.up.count ? ` +${node.up.count}` : ""}</td><td className="others"><Plain>{sources(node.id, "dst")}</Plain>{node.down.count ? ` +${node.down.count}` : ""}</td><td><Time at={node.at} /></td>
              <td>{node.shape === "node" && node.type !== "job" ? <a href={node.type === "run" ? links.run(node.ref) : linkOf(node.ref, node.kind)}>{plain(node.ref).slice(0, 40)}</a> : null}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h2>{t.lineage.edges}: {scene.edges.length}</h2>
      <table className="list card">
        <thead><tr><th>{t.lineage.from}</th><th>{t.lineage.to}</th><th>{t.lineage.kind}</th><th>{t.lineage.role}</th><th>{t.lineage.evidence}</th><th>{t.lineage.marksTitle}</th><th>{t.lineage.at}</th></tr></thead>
        <tbody>{scene.edges.map((edge) => <tr key={`${edge.src} ${edge.dst}`}><td className="others"><Plain>{names.get(edge.src) ?? ""}</Plain></td><td className="others"><Plain>{names.get(edge.dst) ?? ""}</Plain></td><td>{edge.kind}{edge.count > 1 ? ` ×${edge.count}` : ""}</td><td className="others"><Plain>{edge.roles.join(", ")}</Plain></td><td>{edge.evidence}{edge.rule ? ` (${plain(edge.rule)})` : ""}{edge.also ? ` · ${t.lineage.also}` : ""}</td><td>{[...spokenMarks(edge.marks), edge.way ? t.lineage.onWay : ""].filter(Boolean).join(", ")}</td><td><Time at={edge.at} /></td></tr>)}</tbody>
      </table>
      {lines.length ? (
        <>
          <h2>{t.lineage.columnLines}: {lines.length}</h2>
          <table className="list card">
            <thead><tr><th>{t.lineage.from}</th><th>{t.lineage.to}</th><th>{t.lineage.evidence}</th></tr></thead>
            <tbody>{lines.map((line) => <tr key={line.id}><td><Plain>{`${names.get(line.src) ?? ""} ${line.from}`}</Plain></td><td><Plain>{`${names.get(line.dst) ?? ""} ${line.into}`}</Plain></td><td><Plain>{line.rule || line.how.join(", ") || t.lineage.declared}</Plain></td></tr>)}</tbody>
          </table>
        </>
      ) : null}
    </div>
  );
}
