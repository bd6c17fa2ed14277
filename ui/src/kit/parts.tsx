// Small pieces that every screen is made of.
import { Boxes, Box, Database, FileText, FlaskConical, Layers, Link2, Rocket, Sparkles, Workflow, Code2, Cpu, MessageSquareText } from "lucide-react";
import { Fragment, type ReactNode, useEffect, useRef, useState } from "react";
import { Refused, type RunSummary } from "../api/client";
import { links } from "../app/route";
import { t } from "../text";
import { duration, plain, time, utc } from "./format";

export function Time({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at / 1000).toString() === "Invalid Date" ? undefined : new Date(at / 1000).toISOString()} title={utc(at)} className="nowrap">
      {time(at)}
    </time>
  );
}

const TONES: Record<string, string> = { finished: "good", running: "info", failed: "bad", killed: "bad", lost: "warn", valid: "good", expired: "warn", revoked: "bad", live: "good", ended: "" };
export const tone = (state: string): string => (Object.hasOwn(TONES, state) ? (TONES[state] ?? "") : "");

export function State({ state }: { state: string }) {
  return (
    <span className="state">
      <span className={`dot ${tone(state)} ${state === "running" ? "pulse" : ""}`} aria-hidden="true" />
      {state}
    </span>
  );
}

const ICONS: Record<string, typeof Box> = { dataset: Database, features: Sparkles, model: Box, run: FlaskConical, job: Workflow, deployment: Rocket, group: Layers, chain: Link2, cycle: Link2, report: FileText, prompt: MessageSquareText, code: Code2, environment: Cpu, other: FileText };

export function KindIcon({ kind, size = 15 }: { kind: string; size?: number }) {
  const Icon = Object.hasOwn(ICONS, kind) ? (ICONS[kind] ?? Boxes) : Boxes;
  return <Icon size={size} aria-hidden="true" />;
}

export function Tile({ kind }: { kind: string }) {
  return (
    <span className={`tile kind-${kind}`}>
      <KindIcon kind={kind} />
    </span>
  );
}

/** A text from the record, kept in its own writing direction. */
export function Plain({ children, mono, cut }: { children: string; mono?: boolean; cut?: boolean }) {
  const text = plain(children);
  return (
    <bdi className={`${mono ? "mono" : ""} ${cut ? "cut" : ""}`} title={cut ? text : undefined}>
      {text.length > 600 ? `${text.slice(0, 600)}…` : text}
    </bdi>
  );
}

export function Panel({ title, aside, children, flush, id }: { title: ReactNode; aside?: ReactNode; children: ReactNode; flush?: boolean; id?: string }) {
  return (
    <section className={`card ${flush ? "flush" : ""}`} id={id}>
      <header>
        <h2>{title}</h2>
        {aside ? <div className="row muted">{aside}</div> : null}
      </header>
      <div className="body">{children}</div>
    </section>
  );
}

/** A text of the page itself, in which what stands between backticks is to be typed. */
export function Said({ children }: { children: string }) {
  return children.split("`").map((part, n) => (n % 2 ? <code key={n}>{part}</code> : part));
}

export function Empty({ title, children, code }: { title: string; children?: ReactNode; code?: string }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children ? <p>{typeof children === "string" ? <Said>{children}</Said> : children}</p> : null}
      {code ? <code>{code}</code> : null}
    </div>
  );
}

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const refused = error instanceof Refused ? error : undefined;
  return (
    <div className="note bad" role="alert">
      <div className="stack">
        <strong>{t.error.title}</strong>
        <Plain>{refused?.status === 0 ? t.error.none : refused?.status === 403 ? `${t.error.denied} ${refused.message}` : error instanceof Error ? error.message : String(error)}</Plain>
        {refused?.hint ? <span className="muted"><Plain>{refused.hint}</Plain></span> : null}
        {retry ? (
          <div>
            <button type="button" className="button small" onClick={retry}>{t.error.retry}</button>
          </div>
        ) : null}
      </div>
    </div>
  );
}

export function Skeleton({ lines = 4, height = 16 }: { lines?: number; height?: number }) {
  return (
    <div className="stack" role="status" aria-label={t.ui.loading}>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="skeleton" style={{ height, width: `${96 - ((i * 17) % 34)}%` }} />
      ))}
    </div>
  );
}

interface Answer<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** What a question answered; a skeleton until then, and what failed with a way to try again. */
export function Loaded<T>({ of, lines, height, children }: { of: Answer<T>; lines?: number; height?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Problem error={of.error} retry={() => void of.refetch()} />;
  return <Skeleton lines={lines} height={height} />;
}

export function Dialog({ title, onClose, children, small }: { title: string; onClose: () => void; children: ReactNode; small?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element && !element.open) element.showModal();
  }, []);
  return (
    <dialog ref={ref} className={`dialog ${small ? "small" : ""}`} aria-label={title} onClose={onClose} onClick={(event) => event.target === ref.current && onClose()}>
      <header>
        <h2>{title}</h2>
        <button type="button" className="button small plain" onClick={onClose} aria-label={t.ui.close}>✕</button>
      </header>
      <div className="body">{children}</div>
    </dialog>
  );
}

/** A button that opens a small panel under (`up`: above) itself; Esc or a click elsewhere closes it. */
export function Popover({ label, children, className = "button", align = "left", up, name }: { label: ReactNode; name?: string; className?: string; align?: "left" | "right"; up?: boolean; children: (close: () => void) => ReactNode }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: PointerEvent) => !box.current?.contains(event.target as Node) && setOpen(false);
    window.addEventListener("pointerdown", away);
    return () => window.removeEventListener("pointerdown", away);
  }, [open]);
  return (
    <div
      ref={box}
      style={{ position: "relative" }}
      onKeyDown={(event) => {
        if (event.key === "Escape" && open) {
          event.stopPropagation();
          setOpen(false);
          button.current?.focus();
        }
      }}
    >
      <button ref={button} type="button" className={className} aria-expanded={open} aria-label={name} onClick={() => setOpen(!open)}>{label}</button>
      {open ? <div className="popover" style={{ [up ? "bottom" : "top"]: "calc(100% + 6px)", [align]: 0 }}>{children(() => setOpen(false))}</div> : null}
    </div>
  );
}

export function runName(run: Pick<RunSummary, "name" | "job" | "run_id">): string {
  return plain(run.name || run.job || run.run_id.slice(0, 12));
}

export function RunLink({ run }: { run: Pick<RunSummary, "name" | "job" | "run_id"> }) {
  return (
    <a href={links.run(run.run_id)} className="cut" title={`${runName(run)} · ${run.run_id}`}>
      <bdi>{runName(run)}</bdi>
    </a>
  );
}

export function took(run: Pick<RunSummary, "started_at" | "ended_at">, now = Date.now() * 1000): string {
  return duration((run.ended_at ?? now) - run.started_at);
}

const DIGEST = /^(sha256:[0-9a-f]{40,64}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{10,64})$/; // of such the beginning tells them apart

export function Was({ value, side }: { value: unknown; side: "was" | "now" }) {
  const none = value === null || value === undefined;
  const text = none ? t.compare.absent : typeof value === "object" ? JSON.stringify(value) : String(value);
  return <span className={`${side} ${none ? "none" : ""}`}>{DIGEST.test(text) ? <span title={text}>{text.replace("sha256:", "").slice(0, 8)}</span> : <Plain>{text}</Plain>}</span>;
}

export function DiffList({ changes, most = 200 }: { changes: { key: string; a?: unknown; b?: unknown }[]; most?: number }) {
  return (
    <div className="difflist">
      {changes.slice(0, most).map((change) => (
        <div key={change.key}>
          <span className="k mono"><Parted>{change.key}</Parted></span>
          <Was value={change.a} side="was" />
          <Was value={change.b} side="now" />
        </div>
      ))}
      {changes.length > most ? <div><span className="muted">{t.runs.more(changes.length - most)}</span></div> : null}
    </div>
  );
}

/** A path or dotted name that breaks between its parts rather than within a word. */
function Parted({ children }: { children: string }) {
  return <bdi>{plain(children).slice(0, 600).split(/(?<=[/.·-])(?=[^/.·-])/).map((part, n) => <Fragment key={n}>{n ? <wbr /> : null}{part}</Fragment>)}</bdi>;
}

let tellToast: ((text: string) => void) | undefined;
export const toast = (text: string): void => tellToast?.(text);

export function Toasts() {
  const [texts, setTexts] = useState<{ id: number; text: string }[]>([]);
  useEffect(() => {
    let next = 0;
    tellToast = (text) => {
      const id = (next += 1);
      setTexts((all) => [...all, { id, text }]);
      window.setTimeout(() => setTexts((all) => all.filter((one) => one.id !== id)), 4000);
    };
    return () => {
      tellToast = undefined;
    };
  }, []);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {texts.map((one) => <div key={one.id} className="toast">{one.text}</div>)}
    </div>
  );
}

export async function copy(text: string, said: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    toast(text);
  }
}

export function save(name: string, content: Blob | string, type = "text/plain"): void {
  const url = URL.createObjectURL(typeof content === "string" ? new Blob([content], { type }) : content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
