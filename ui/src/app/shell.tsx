import icon from "../icon.svg";
import { useIsFetching, useQuery, useQueryClient } from "@tanstack/react-query";
import { Box, Database, FlaskConical, GitCompareArrows, House, Menu, Rocket, Search as Glass, Settings, Share2, Workflow } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { api, Refused } from "../api/client";
import { Dialog, Toasts } from "../kit/parts";
import { count, t } from "../text";
import { go, to, usePlace } from "./route";
import { follow, LIVE, pace } from "./live";
import { Search } from "./search";
import { SignIn } from "./signin";

const ITEMS = [
  { path: "/", also: [] as string[], label: t.nav.home, Icon: House, key: "h", n: undefined },
  { path: "/runs", also: ["/run"], label: t.nav.runs, Icon: FlaskConical, key: "r", n: "runs" },
  { path: "/lineage", also: [], label: t.nav.lineage, Icon: Share2, key: "l", n: undefined },
  { path: "/models", also: ["/model", "/version"], label: t.nav.models, Icon: Box, key: "m", n: "models" },
  { path: "/datasets", also: ["/dataset"], label: t.nav.datasets, Icon: Database, key: "d", n: "datasets" },
  { path: "/jobs", also: [], label: t.nav.jobs, Icon: Workflow, key: "j", n: "jobs" },
  { path: "/deployments", also: [], label: t.nav.deployments, Icon: Rocket, key: "p", n: "live" },
  { path: "/compare", also: [], label: t.nav.compare, Icon: GitCompareArrows, key: "c", n: undefined },
] as const;

const PATIENCE = 1500; // ms after which the counts are asked for whatever else is under way

export const isTyping = (target: EventTarget | null): boolean => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** True at home, and elsewhere once what the screen itself asks first is answered: the counts beside the navigation can wait. */
function useCalm(): boolean {
  const { path } = usePlace();
  const [calm, setCalm] = useState(path === "/");
  const asking = useIsFetching();
  const asked = useRef(false);
  useEffect(() => {
    asked.current ||= asking > 0;
    if (path === "/" || (asked.current && asking === 0)) setCalm(true);
  }, [asking, path]);
  useEffect(() => {
    const timer = window.setTimeout(() => setCalm(true), PATIENCE);
    return () => window.clearTimeout(timer);
  }, []);
  return calm;
}

export function useOverview() {
  return useQuery({ queryKey: ["overview"], enabled: useCalm(), queryFn: ({ signal }) => api.overview(signal), meta: LIVE, refetchInterval: () => pace(/^#\/?$/.test(window.location.hash) || window.location.hash === "" ? 3000 : 8000) });
}

/** The frame of every screen: navigation, search, and what the server says of itself. */
export function Shell({ children }: { children: ReactNode }) {
  const place = usePlace();
  const [finding, setFinding] = useState(false);
  const [keys, setKeys] = useState(false);
  const [menu, setMenu] = useState(false);
  const seen = useOverview();
  const main = useRef<HTMLElement>(null);
  const queries = useQueryClient();
  const known = seen.data !== undefined;
  // Begun when the server has let us in once; a new token begins it anew with the page.
  useEffect(() => (known ? follow(queries) : undefined), [known, queries]);
  useKeys(() => setFinding(true), () => setKeys(true));
  useEffect(() => {
    setMenu(false);
    main.current?.scrollTo(0, 0);
  }, [place.path]);
  if (seen.error instanceof Refused && seen.error.status === 401) return <SignIn />;
  const narrow = place.path === "/lineage";
  const current = (item: (typeof ITEMS)[number]) => place.path === item.path || (item.also as readonly string[]).includes(place.path);
  return (
    <div className={`shell ${narrow ? "narrow-nav" : ""} ${menu ? "menu-open" : ""}`}>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>{t.skip}</a>
      <nav className="nav" aria-label={t.nav.label}>
        <a className="brand" href={to("/")} aria-label={narrow ? t.name : undefined}><img src={icon} alt="" /><span>{t.name}</span></a>
        {ITEMS.map((item) => (
          <a key={item.path} className="item" href={to(item.path)} aria-current={current(item) ? "page" : undefined} aria-label={narrow ? item.label : undefined} title={narrow ? item.label : undefined}>
            <item.Icon size={17} aria-hidden="true" />
            <span>{item.label}</span>
            {item.n && seen.data ? <span className="count">{count(seen.data[item.n])}</span> : null}
          </a>
        ))}
        <span className="grow" />
        <a className="item" href={to("/settings")} aria-current={place.path === "/settings" ? "page" : undefined} aria-label={narrow ? t.nav.settings : undefined} title={narrow ? t.nav.settings : undefined}><Settings size={17} aria-hidden="true" /><span>{t.nav.settings}</span></a>
      </nav>
      <header className="top">
        <button type="button" className="button icon plain menu-button" aria-label={t.nav.menu} aria-expanded={menu} onClick={() => setMenu(!menu)}><Menu size={18} aria-hidden="true" /></button>
        <nav className="crumbs" aria-label={t.nav.where}><ol id="crumbs" /></nav>
        <button type="button" className="searchbox" onClick={() => setFinding(true)}>
          <Glass size={15} aria-hidden="true" />
          <span className="grow">{t.search.open}</span>
          <span className="kbd" aria-hidden="true">{/Mac|iP/.test(navigator.platform) ? t.search.keyMac : t.search.key}</span>
        </button>
        <div className="row" id="actions" />
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        {seen.error && seen.data ? <div className="offline" role="status">{t.error.offline}</div> : null}
        {children}
      </main>
      {finding ? <Search onClose={() => setFinding(false)} /> : null}
      {keys ? (
        <Dialog title={t.settings.keys} onClose={() => setKeys(false)} small>
          <KeyList of={t.settings.keyList} />
          <h3>{t.nav.lineage}</h3>
          <KeyList of={t.lineage.keys} />
        </Dialog>
      ) : null}
      <Toasts />
    </div>
  );
}

export function KeyList({ of }: { of: readonly (readonly [string, string])[] }) {
  return <dl className="facts">{of.map(([key, what]) => [<dt key={key}><span className="kbd">{key}</span></dt>, <dd key={`${key}-w`}>{what}</dd>])}</dl>;
}

function useKeys(find: () => void, help: () => void) {
  const waiting = useRef(0);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        find();
        return;
      }
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.key === "?") help();
      else if (Date.now() - waiting.current < 1200) {
        waiting.current = 0;
        const item = ITEMS.find((one) => one.key === event.key);
        if (item) {
          event.preventDefault();
          event.stopImmediatePropagation();
          go(to(item.path));
        }
      } else if (event.key === "g") waiting.current = Date.now();
    };
    window.addEventListener("keydown", press, true);
    return () => window.removeEventListener("keydown", press, true);
  }, [find, help]);
}
