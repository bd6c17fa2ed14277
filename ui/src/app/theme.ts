// Light, dark, or as the system says; kept in this browser.
export type Appearance = "system" | "light" | "dark";
const KEY = "lineal.appearance";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function appearance(): Appearance {
  const kept = safeGet(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function setAppearance(wanted: Appearance): void {
  safeSet(KEY, wanted);
  apply();
}

export function isDark(): boolean {
  const wanted = appearance();
  return wanted === "dark" || (wanted === "system" && dark.matches);
}

export function apply(): void {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  for (const tell of listeners) tell();
}

export function onTheme(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

dark.addEventListener("change", apply);

// Storage may be forbidden; the page works without it.
export function safeGet(key: string, store: Storage | undefined = kept()): string | null {
  try {
    return store?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

export function safeSet(key: string, value: string | null, store: Storage | undefined = kept()): void {
  try {
    if (value === null) store?.removeItem(key);
    else store?.setItem(key, value);
  } catch {
    // Then it is not kept.
  }
}

function kept(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}
