// What is kept of a run besides its files: what it printed, the notebooks it executed. Facets may come from anybody.
import type { RunDetail } from "../api/client";

export interface Printed {
  pid?: number;
  command?: unknown[];
  main?: boolean;
  bytes?: number;
  cut?: number;
  sha256?: string | null;
  binary?: boolean;
  text?: string; // of a run that goes on: the end of what it printed so far
}

function listOf(body: unknown): Printed[] {
  const all = (body as { processes?: unknown } | undefined)?.processes;
  return Array.isArray(all) ? all.filter((one): one is Printed => typeof one === "object" && one !== null) : [];
}

/** The processes that printed something: what is kept of them, or what they printed last while they run. */
export function printed(run: RunDetail): Printed[] {
  const kept = listOf(run.facets["lineal.console/1"]);
  return kept.length ? kept : listOf(run.facets["lineal.console_tail/1"]);
}

export interface Executed {
  path: string;
  sha256: string;
  cells?: number;
  failed?: number;
}

/** The notebooks that a run executed. */
export function notebooks(run: RunDetail): Executed[] {
  const all = (run.facets["lineal.notebook/1"] as { notebooks?: unknown } | undefined)?.notebooks;
  return Array.isArray(all) ? all.filter((one): one is Executed => typeof (one as Executed | null)?.sha256 === "string" && typeof (one as Executed).path === "string") : [];
}
