// Ctrl-K: anything by a part of its name, or the beginning of an id or digest.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { api, type Schemas } from "../api/client";
import { Plain, State, Tile } from "../kit/parts";
import { t } from "../text";
import { go, links } from "./route";

type Hit = Schemas["Hit"];
const ORDER = ["model", "artifact", "job", "run"] as const;

export function address(hit: Hit): string {
  if (hit.sort === "model") return links.model(hit.ref);
  if (hit.sort === "job") return links.job(hit.ref);
  if (hit.sort === "run") return links.run(hit.ref);
  return links.artifact(hit.ref);
}

export function Search({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [asked, setAsked] = useState("");
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  useEffect(() => {
    const timer = window.setTimeout(() => setAsked(text.trim()), 120);
    return () => window.clearTimeout(timer);
  }, [text]);
  const found = useQuery({ queryKey: ["find", asked], queryFn: ({ signal }) => api.find({ text: asked }, signal), enabled: asked !== "", placeholderData: keepPreviousData });
  const hits = asked ? ORDER.flatMap((sort) => (found.data?.hits ?? []).filter((hit) => hit.sort === sort)) : [];
  useEffect(() => setAt(0), [asked]);
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [at]);
  const open = (hit: Hit) => {
    onClose();
    go(address(hit));
  };
  return (
    <dialog ref={dialog} className="dialog finder" aria-label={t.search.title} onClose={onClose} onClick={(event) => event.target === dialog.current && onClose()}>
      <input
        autoFocus
        role="combobox"
        aria-expanded={hits.length > 0}
        aria-controls={id}
        aria-activedescendant={hits[at] ? `${id}-${at}` : undefined}
        aria-label={t.search.open}
        placeholder={t.search.placeholder}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            event.preventDefault();
            setAt((now) => Math.max(0, Math.min(hits.length - 1, now + (event.key === "ArrowDown" ? 1 : -1))));
          } else if (event.key === "Enter" && hits[at]) open(hits[at]);
        }}
      />
      {found.error && asked ? <p className="muted" style={{ padding: 20 }}>{t.error.none}</p> : null}
      {!hits.length ? (
        <p className="muted" style={{ padding: "18px 20px" }}>{asked && found.data && !found.isFetching ? t.search.nothing(asked.slice(0, 60)) : t.search.start}</p>
      ) : (
        <ul id={id} ref={list} role="listbox" aria-label={t.search.title}>
          {hits.flatMap((hit, n) => [
            hits[n - 1]?.sort !== hit.sort ? <li key={`g-${hit.sort}`} className="group" role="presentation">{t.search[hit.sort as (typeof ORDER)[number]]}</li> : null,
            <li key={hit.sort + hit.ref} id={`${id}-${n}`} role="option" aria-selected={n === at} onMouseMove={() => setAt(n)}>
              <a href={address(hit)} tabIndex={-1} onClick={onClose}>
                <Tile kind={hit.sort === "model" ? "model" : hit.sort === "job" ? "job" : hit.kind} />
                <span className="grow cut"><Plain>{hit.label}</Plain></span>
                <span className="muted cut" style={{ maxWidth: 220 }}><Plain>{hit.detail}</Plain></span>
                {hit.state ? <State state={hit.state} /> : null}
              </a>
            </li>,
          ])}
        </ul>
      )}
      <footer aria-hidden="true">{t.search.hints.map(([key, what]) => <span key={key}><span className="kbd">{key}</span> {what}</span>)}</footer>
    </dialog>
  );
}
