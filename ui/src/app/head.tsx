// What a screen puts into the frame: where we are, the title of the tab, and its actions.
import { type ReactNode, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import { plain } from "../kit/format";

export function Head({ crumbs, actions }: { crumbs: { label: string; href?: string }[]; actions?: ReactNode }) {
  const [slots, setSlots] = useState<{ crumbs: HTMLElement; actions: HTMLElement }>();
  const title = crumbs.map((crumb) => plain(crumb.label)).reverse().join(" · ");
  useEffect(() => {
    document.title = `${title} · Lineal`;
  }, [title]);
  useEffect(() => {
    const found = [document.getElementById("crumbs"), document.getElementById("actions")];
    if (found[0] && found[1]) setSlots({ crumbs: found[0], actions: found[1] });
  }, []);
  if (!slots) return null;
  return (
    <>
      {createPortal(
        crumbs.map((crumb, n) => (
          <li key={n} aria-current={n === crumbs.length - 1 ? "page" : undefined}>{crumb.href ? <a href={crumb.href}>{plain(crumb.label)}</a> : <bdi>{plain(crumb.label)}</bdi>}</li>
        )),
        slots.crumbs,
      )}
      {actions ? createPortal(actions, slots.actions) : null}
    </>
  );
}
