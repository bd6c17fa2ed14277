// How the code of two runs differs, line by line as far as it was kept; what is not kept is named.
import { useQueries } from "@tanstack/react-query";
import { api, bytes, type RunDetail } from "../api/client";
import { plain } from "../kit/format";
import { type DiffLine, lineDiff, patchFiles } from "../kit/lines";
import { copy, Plain, Skeleton } from "../kit/parts";
import { Patch } from "../runs/files";
import { t } from "../text";

interface CodeFacts {
  commit: string;
  patch: string; // digest of the uncommitted changes
  untracked: Map<string, string>;
}

function facts(run: RunDetail | undefined): CodeFacts {
  const code = (run?.code ?? {}) as Record<string, unknown>;
  const untracked = Array.isArray(code.untracked) ? (code.untracked as { path?: unknown; sha256?: unknown }[]) : [];
  return {
    commit: typeof code.commit === "string" && /^[0-9a-f]{7,64}$/.test(code.commit) ? code.commit : "",
    patch: typeof code.diff === "string" && code.diff.startsWith("sha256:") ? code.diff : "",
    untracked: new Map(untracked.flatMap((file) => (typeof file.path === "string" && typeof file.sha256 === "string" ? [[file.path, file.sha256] as const] : []))),
  };
}

const MOST = 12; // files

/** Files of which both or one of two runs had kept lines that differ. */
export function CodeDiff({ a, b }: { a: string; b: string }) {
  const shown = useQueries({ queries: [a, b].map((ref) => ({ queryKey: ["show", ref], queryFn: ({ signal }: { signal: AbortSignal }) => api.show(ref, signal), staleTime: 30_000 })) });
  const runs = shown.map((one) => (one.data?.type === "run" ? one.data : undefined));
  const [left, right] = [facts(runs[0]), facts(runs[1])];
  const loose = [...new Set([...left.untracked.keys(), ...right.untracked.keys()])].filter((path) => left.untracked.get(path) !== right.untracked.get(path)).slice(0, MOST);
  const wanted = [...new Set([...(left.patch !== right.patch ? [left.patch, right.patch] : []), ...loose.flatMap((path) => [left.untracked.get(path) ?? "", right.untracked.get(path) ?? ""])])].filter(Boolean);
  const texts = useQueries({ queries: wanted.map((digest) => ({ queryKey: ["text", digest], queryFn: async () => (await bytes(digest)).text(), staleTime: Number.POSITIVE_INFINITY, retry: false })) });
  if (shown.some((one) => one.isPending) || texts.some((one) => one.isPending)) return <Skeleton lines={3} />;
  const text = new Map(wanted.map((digest, n) => [digest, texts[n]?.data]));
  const lost = texts.some((one) => one.error);
  const [before, after] = [patchFiles(text.get(left.patch) ?? ""), patchFiles(text.get(right.patch) ?? "")];
  const parts = [
    ...[...new Set([...before.keys(), ...after.keys()])].map((path) => {
      const [was, is] = [before.get(path), after.get(path)];
      // A patch that only one of them has is shown as the patch it is.
      return { path, what: `${t.code.uncommitted}${was === undefined ? `, ${t.compare.only(t.compare.b)}` : is === undefined ? `, ${t.compare.only(t.compare.a)}` : ""}`, patch: was === undefined || is === undefined ? (is ?? was) : undefined, lines: lineDiff(was ?? "", is ?? "") };
    }),
    ...loose.map((path) => ({ path, what: t.code.untracked, patch: undefined, lines: lineDiff(text.get(left.untracked.get(path) ?? "") ?? "", text.get(right.untracked.get(path) ?? "") ?? "") })),
  ].filter((part) => part.lines.length);
  const moved = left.commit && right.commit && left.commit !== right.commit;
  const command = `git diff ${left.commit.slice(0, 12)} ${right.commit.slice(0, 12)}`;
  if (!parts.length && !moved && !lost) return null;
  return (
    <div className="stack" style={{ marginTop: 12 }}>
      {moved ? <p className="note">{t.code.commits} <code>{command}</code> <button type="button" className="button small" onClick={() => void copy(command, t.ui.copied)}>{t.ui.copy}</button></p> : null}
      {lost ? <p className="note warn">{t.code.lost}</p> : null}
      {parts.slice(0, MOST).map((part) => (
        <details key={part.what + part.path} open={parts.length <= 3}>
          <summary className="row spread"><Plain mono>{part.path}</Plain><span className="muted">{part.what}</span></summary>
          {part.patch !== undefined ? <Patch text={part.patch} /> : <Lines lines={part.lines} />}
        </details>
      ))}
      {parts.length > MOST ? <p className="muted">{t.runs.more(parts.length - MOST)}</p> : null}
    </div>
  );
}

function Lines({ lines }: { lines: DiffLine[] }) {
  return (
    <div className="code" tabIndex={0}>
      {lines.slice(0, 2000).map((line, n) => <span key={n} className={line.sign === "+" ? "add" : line.sign === "-" ? "del" : line.sign === "@" ? "at" : undefined}>{line.sign === "@" ? t.code.unchanged(Number(/\d+/.exec(line.text)?.[0] ?? 0)) : `${line.sign} ${plain(line.text).slice(0, 2000)}`}{"\n"}</span>)}
      {lines.length > 2000 ? <span className="muted">{t.runs.more(lines.length - 2000)}</span> : null}
    </div>
  );
}
