import { useQuery } from "@tanstack/react-query";
import { Filter, X } from "lucide-react";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { api, type Refused } from "../api/client";
import { isTyping } from "../app/shell";
import { plain } from "../kit/format";
import { Plain } from "../kit/parts";
import { t } from "../text";
import { complete, reason, stopped, written } from "./filter";

const helpOf = (option: string): string | undefined => (Object.hasOwn(t.runs.terms, option) ? t.runs.terms[option] : undefined); // a word from the record may be `__proto__`

/** The filter: completes fields, operators, values and terms of lineage, asks the server when it stands still, and shows where it stopped reading. */
export function FilterBox({ value, error, onChange }: { value: string; error?: Refused; onChange: (text: string) => void }) {
  const [text, setText] = useState(value);
  const [cursor, setCursor] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const caret = useRef<number>(undefined);
  const id = useId();
  const sent = useRef(value);
  const fields = useQuery({ queryKey: ["fields"], queryFn: ({ signal }) => api.fields(signal), staleTime: 30_000 });
  useEffect(() => {
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = window.setTimeout(() => {
      sent.current = text;
      onChange(text);
    }, 350);
    return () => window.clearTimeout(timer);
  }, [text, onChange]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "/" && !isTyping(event.target)) {
        event.preventDefault();
        input.current?.focus();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
  // Before the next key is read, or what is typed on would land in the wrong place.
  useLayoutEffect(() => {
    if (caret.current === undefined) return;
    input.current?.setSelectionRange(caret.current, caret.current);
    caret.current = undefined;
  }, [text]);
  const next = complete(text, cursor, fields.data ?? { metrics: [], params: [], tags: [] });
  const from = next.from;
  const typed = text.slice(from, cursor).replace(/^['"]/, "").toLowerCase();
  const values = useQuery({ queryKey: ["values", next.values], queryFn: ({ signal }) => api.runGroups({ by: next.values ?? "", limit: 50 }, signal), enabled: open && next.values !== undefined, staleTime: 30_000, retry: false });
  const refs = useQuery({ queryKey: ["find", "refs", next.refs], queryFn: ({ signal }) => api.find({ text: next.refs ?? "", limit: 4 }, signal), enabled: open && (next.refs ?? "") !== "", staleTime: 30_000, retry: false });
  const told = [
    ...(next.values ? (values.data?.groups ?? []).flatMap((group) => (group.value !== null && group.value.toLowerCase().includes(typed) && group.value.length <= 80 ? [group.value] : [])) : []),
    ...(next.refs ? (refs.data?.hits ?? []).map((hit) => (hit.sort === "job" ? `job:${hit.ref}` : hit.ref)) : []),
  ];
  const options = [...next.options, ...told.slice(0, 12).map((one) => `${written(one)} `)].filter((one, n, all) => all.indexOf(one) === n);
  const showing = open && options.length > 0;
  const take = (option: string) => {
    const next = text.slice(0, from) + option + text.slice(cursor);
    setText(next);
    setAt(-1);
    const place = from + option.length;
    setCursor(place);
    caret.current = place;
  };
  const stop = error && sent.current === text ? stopped(error.message) : undefined;
  return (
    <div style={{ position: "relative" }}>
      <div className="row filter">
        <Filter size={15} aria-hidden="true" className="muted" />
        <input
          ref={input}
          className="input mono"
          role="combobox"
          aria-label={t.runs.filter}
          aria-expanded={showing}
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={showing && at >= 0 ? `${id}-${at}` : undefined}
          aria-invalid={error !== undefined && sent.current === text}
          aria-describedby={`${id}-error`}
          spellCheck={false}
          autoComplete="off"
          placeholder={t.runs.placeholder}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setCursor(event.target.selectionStart ?? event.target.value.length);
            setOpen(true);
            setAt(-1);
          }}
          onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(true)}
          onBlur={() => window.setTimeout(() => setOpen(false), 150)}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown" && showing) {
              event.preventDefault();
              setAt((now) => Math.min(options.length - 1, now + 1));
            } else if (event.key === "ArrowUp" && showing) {
              event.preventDefault();
              setAt((now) => Math.max(-1, now - 1));
            } else if ((event.key === "Enter" || event.key === "Tab") && showing && at >= 0 && options[at]) {
              event.preventDefault();
              take(options[at]);
            } else if (event.key === "Enter") {
              sent.current = text;
              onChange(text);
              setOpen(false);
            } else if (event.key === "Escape") setOpen(false);
          }}
        />
        {text ? <button type="button" className="button plain small icon" aria-label={t.runs.clear} onClick={() => setText("")}><X size={14} aria-hidden="true" /></button> : null}
      </div>
      {showing ? (
        <div className="popover" id={id} role="listbox" style={{ top: "calc(100% + 4px)", left: 26, minWidth: 320 }}>
          {options.map((option, n) => (
            <button key={option} id={`${id}-${n}`} type="button" role="option" tabIndex={-1} aria-selected={n === at} className="option mono" onMouseDown={(event) => { event.preventDefault(); take(option); }}><bdi className="grow">{plain(option.trim())}</bdi>{helpOf(option.trim()) ? <span className="muted help">{helpOf(option.trim())}</span> : null}</button>
          ))}
        </div>
      ) : null}
      <div id={`${id}-error`} role="alert">
        {error && sent.current === text ? (
          <div className="filter-error">
            {stop !== undefined ? <pre aria-hidden="true">{text.slice(Math.max(0, stop - 60), stop)}<mark>{text.slice(stop, stop + 30) || " "}</mark></pre> : null}
            <Plain>{reason(error.message)}</Plain> <span className="muted"><Plain>{error.hint}</Plain></span>
          </div>
        ) : null}
      </div>
    </div>
  );
}
