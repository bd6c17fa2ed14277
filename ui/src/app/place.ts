// Where we are: `#/path?query`. The part behind # never reaches a server, so the page works below any path and behind any proxy.
// Nothing of React here: this is read before it has arrived.
export interface Place {
  path: string;
  query: URLSearchParams;
}

export function parse(hash: string): Place {
  const text = hash.replace(/^#/, "") || "/";
  const cut = text.indexOf("?");
  const path = cut < 0 ? text : text.slice(0, cut);
  return { path: path.startsWith("/") ? path : `/${path}`, query: new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1)) };
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** The address of a screen; what is empty is left out. */
export function to(path: string, query: Query = {}): string {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== "" && value !== false) found.set(key, value === true ? "1" : String(value));
  const text = found.toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

export function go(hash: string, how: { replace?: boolean } = {}): void {
  if (how.replace) {
    history.replaceState(null, "", hash);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else window.location.hash = hash.replace(/^#/, "");
}

/** Change some of the query and keep the rest. */
export function change(query: Query, how: { replace?: boolean } = { replace: true }): void {
  const place = parse(window.location.hash);
  const all: Query = Object.fromEntries(place.query);
  go(to(place.path, { ...all, ...query }), how);
}

export const links = {
  run: (id: string) => to("/run", { id: id.replace(/^run:/, "") }),
  model: (name: string, more: Query = {}) => to("/model", { name, ...more }),
  artifact: (ref: string, more: Query = {}) => to("/dataset", { ref, ...more }),
  lineage: (ref: string, more: Query = {}) => to("/lineage", { ref, ...more }),
  compare: (a: string, b: string) => to("/compare", { a, b }),
  job: (name: string) => to("/runs", { where: `job = ${quote(name)}` }),
};

/** A text as the query language writes it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Where a reference leads. */
export function linkOf(ref: string, kind = ""): string {
  if (ref.startsWith("run:")) return links.run(ref);
  if (kind === "model") return to("/version", { ref });
  return links.artifact(ref);
}
