import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, type ComponentType, type ReactNode, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { Refused } from "./api/client";
import { ahead } from "./app/ahead";
import { Head } from "./app/head";
import { parse, to, usePlace } from "./app/route";
import { Shell } from "./app/shell";
import { type Later, later } from "./kit/later";
import { Empty, Problem, Skeleton } from "./kit/parts";
import { Home } from "./more/home";
import { t } from "./text";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1000,
      retry: (failed, error) => failed < 2 && error instanceof Refused && (error.status === 0 || error.status >= 500),
      retryDelay: (failed) => 400 * 2 ** failed,
      refetchOnWindowFocus: true,
    },
  },
});

const page = <K extends string>(load: () => Promise<Record<K, ComponentType>>, name: K) => later(async () => (await load())[name]);
const PAGES: Record<string, ComponentType | Later<object>> = {
  "/": Home,
  "/runs": page(() => import("./runs/runs"), "Runs"),
  "/run": page(() => import("./runs/run"), "Run"),
  "/lineage": page(() => import("./lineage/explorer"), "Explorer"),
  "/models": page(() => import("./models/models"), "Models"),
  "/model": page(() => import("./models/model"), "Model"),
  "/version": page(() => import("./models/version"), "Version"),
  "/compare": page(() => import("./models/compare"), "Compare"),
  "/datasets": page(() => import("./datasets/datasets"), "Datasets"),
  "/dataset": page(() => import("./datasets/dataset"), "Dataset"),
  "/jobs": page(() => import("./more/jobs"), "Jobs"),
  "/deployments": page(() => import("./more/deployments"), "Deployments"),
  "/settings": page(() => import("./more/settings"), "SettingsPage"),
};

class Guarded extends Component<{ children: ReactNode; at: string }, { error?: unknown }> {
  override state: { error?: unknown } = {};
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  override componentDidUpdate(before: { at: string }) {
    if (before.at !== this.props.at && this.state.error) this.setState({ error: undefined });
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="page">
        <h1>{t.error.crash}</h1>
        <Problem error={this.state.error} retry={() => this.setState({ error: undefined })} />
      </div>
    );
  }
}

function Missing() {
  return (
    <div className="page">
      <Head crumbs={[{ label: t.error.missing }]} />
      <Empty title={t.error.missing}><a href={to("/")}>{t.error.home}</a></Empty>
    </div>
  );
}

function App() {
  const place = usePlace();
  const Page = Object.hasOwn(PAGES, place.path) ? (PAGES[place.path] as ComponentType) : Missing;
  return (
    <Shell>
      <Guarded at={window.location.hash}>
        <Suspense fallback={<div className="page"><Skeleton lines={8} height={22} /></div>}><Page /></Suspense>
      </Guarded>
    </Shell>
  );
}

const PATIENCE = 600; // ms for which the first screen is waited for before something stands in for it

/** Sends for the part of the page that draws a place. */
async function send(path: string): Promise<void> {
  const found = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (found && "fetch" in found) await found.fetch().catch(() => undefined); // if it failed, drawing it says so
}

async function begin(root: HTMLElement): Promise<void> {
  const { path } = parse(window.location.hash);
  await Promise.race([send(path), new Promise((done) => window.setTimeout(done, PATIENCE))]);
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}><App /></QueryClientProvider>
    </StrictMode>,
  );
}

ahead(queries, parse(window.location.hash));
// Who points at a link will probably follow it.
for (const kind of ["pointerover", "focusin"] as const)
  document.addEventListener(kind, ({ target }) => {
    const link = target instanceof Element ? target.closest<HTMLAnchorElement>('a[href^="#/"]') : null;
    if (link) void send(parse(new URL(link.href).hash).path);
  }, { passive: true });

const root = document.getElementById("root");
if (root) void begin(root);
