// Every text of the page that is not content of the record.
const n = new Intl.NumberFormat("en");
export const count = (value: number): string => n.format(value);
const some = (value: number, one: string, many = `${one}s`): string => `${n.format(value)} ${value === 1 ? one : many}`;

export const t = {
  name: "Lineal",
  skip: "Skip to content",
  nav: {
    label: "Main", home: "Home", runs: "Runs", lineage: "Lineage", models: "Models", datasets: "Datasets", jobs: "Jobs", deployments: "Deployments",
    compare: "Compare", settings: "Settings", menu: "Menu", where: "You are here",
  },
  search: {
    open: "Search models, runs, data, commits", title: "Search", placeholder: "A name, an id, a digest …", nothing: (q: string) => `Nothing is recorded under “${q}”.`,
    start: "Type part of a name, or the beginning of an id or digest.", model: "Models", artifact: "Data and files", job: "Jobs", run: "Runs",
    hints: [["↑↓", "choose"], ["Enter", "open"], ["Esc", "close"]] as const,
  },
  error: {
    title: "This could not be loaded", none: "The server does not answer. It may be restarting.", retry: "Try again", offline: "The server does not answer; what you see is as of the last answer. Trying again …",
    crash: "This screen stopped because of an error in the page.", missing: "There is no such page", home: "Go to Home",
    denied: "Your token does not allow this.",
  },
  signin: {
    title: "Sign in", lead: "This server answers only to those who show a token.", token: "Token", remember: "Remember on this device", submit: "Sign in", wrong: "The server does not know this token, or it has expired.",
    how: "Make one on the server:", out: "Sign out",
  },
  time: { running: "running", never: "never", now: "now" },
  home: {
    title: "Home", lead: "What runs, what went wrong, and what happened last.", runs: "Runs", models: "Models", datasets: "Datasets", live: "Live deployments", running: (k: number) => some(k, "running now", "running now"),
    days: "Runs per day, last 60 days", now: "Running now", failed: "Needs a look", recent: "Latest runs", moves: "Alias moves", none: "Nothing runs at the moment.", fine: "No run failed, was killed or got lost.",
    moved: (alias: string, name: string, to: number) => `${alias} of ${name} now points to version ${to}`, before: (v: number) => `before: version ${v}`, all: "All runs", nomoves: "No alias was moved yet.",
    empty: "Nothing is recorded yet", emptyHow: "Put `lineal run` in front of the command that trains your model; nothing in it has to change.", emptyCode: "lineal run python train.py",
  },
  runs: {
    title: "Runs", filter: "Filter", placeholder: "metrics.auc > 0.9 AND params.lr = '0.1' AND state = finished", clear: "Clear filter", columns: "Columns", compare: "Compare", csv: "Export as CSV", one: "Select two or more runs to compare them",
    selected: (k: number) => `${k} selected`, unselect: "Unselect all", total: (k: number) => some(k, "run"), empty: "No run fits this filter", emptyHow: "Loosen the filter, or clear it to see all runs.",
    name: "Name", job: "Job", state: "State", started: "Started", duration: "Duration", actor: "By", select: (name: string) => `Select ${name}`, params: "Parameters", metrics: "Metrics", tags: "Tags", sort: (c: string) => `Sort by ${c}`,
    saved: "Saved views", save: "Save this view", saveName: "Name of the view", nosaved: "No view is saved in this browser yet.", findColumn: "Find a column", bulk: "Tag", remove: "Delete", differ: "Only differences", varying: "Varying first",
    tagKey: "Key", tagValue: "Value", tagTitle: (k: number) => `Tag ${some(k, "run")}`, tagged: (k: number) => `${some(k, "run")} tagged`, deleteTitle: (k: number) => `Delete ${some(k, "run")}`, reason: "Reason", deleteLead: "They leave a tombstone, so that lineage shows the hole. What living things depend on is refused.",
    deleted: (k: number) => `${some(k, "run")} deleted`, group: "Group by", nogroup: "No grouping", more: (k: number) => `${k} more`,
  },
  run: {
    tabs: { overview: "Overview", charts: "Charts", data: "Data", code: "Code", environment: "Environment", files: "Files", children: "Children", error: "Error", console: "Console", notebook: "Notebook", difference: "Difference" },
    params: "Parameters", metrics: "Metrics", inputs: "Read", outputs: "Wrote", noparams: "No parameters were seen.", nometrics: "No metrics were recorded.", noinputs: "It was not seen reading anything.", nooutputs: "It was not seen writing anything.",
    key: "Key", value: "Value", source: "Seen by", last: "Last", min: "Lowest", max: "Highest", points: "Points", lineage: "Lineage", compareWith: "Compare with previous", started: "Started", ended: "Ended", duration: "Duration", exit: "Exit code", signal: "Signal", parent: "Parent", tags: "Tags", groups: "Groups", id: "Id", by: "By", job: "Job",
    unknownOrigin: "origin unknown", madeBy: "made by", again: "the same bytes again", nocode: "What code it ran is not known.", noenv: "What it ran under is not known.", packages: "Packages", diff: "Uncommitted changes", nodiff: "The checkout was clean.", nochildren: "It started no runs of its own.", commit: "Commit", branch: "Branch", remote: "Remote", clean: "clean", dirty: "with uncommitted changes",
    deleted: "This run was deleted. Its place in the lineage remains.", live: "Live: updates by itself", log: "Logarithmic", smooth: "Smoothing", steps: "Step", xaxis: "Horizontal axis", wall: "Time", findMetric: "Find a metric", more: (k: number) => `Show ${k} more charts`, noenough: "This metric has one value only.", zoom: "Drag to zoom, double-click to reset", facets: "Attachments", gaps: "Gaps in the record", digest: "Content", size: "Size", role: "Role", evidence: "How it is known", name: "Name", launch: "Command", untracked: "Untracked files",
  },
  console: {
    none: "Nothing it printed is kept", notYet: "It has printed nothing so far", noneHow: "What a program run by `lineal run` prints is kept with the run: the first and the last MiB, with secrets taken out. LINEAL_CONSOLE=0 turns that off.",
    process: "Process", leftOut: (k: number) => `${some(k, "more process", "more processes")} printed something that was not kept`, binary: (size: string) => `It printed ${size} that are no text.`,
    find: "Find in the output", hit: (at: number, all: number) => `${n.format(at)} of ${n.format(all)} lines`, noHit: "not found", previous: "Previous line found", next: "Next line found", follow: "Follow the end",
    kept: (lines: string, size: string, cut: string) => `${lines} lines, ${size}${cut ? `; ${cut} between beginning and end are left out` : ""} · stdout and stderr`, soFar: (size: string) => `the end of ${size} printed so far`, longer: " … the line goes on",
  },
  notebook: {
    none: "No executed notebook is kept", noneHow: "A notebook that is executed under `lineal run` is kept as it was when it ended.", noneCode: "lineal run jupyter execute train.ipynb", which: "Notebook", cells: (k: number) => some(k, "cell"), failed: (k: number) => `${some(k, "cell")} failed`,
    unreadable: "It cannot be read as a notebook.", hidden: "Not shown, since it could hold scripts:", picture: "Picture given by the cell",
  },
  files: {
    choose: "Choose a file to look at it.", notKept: "No copy of this file is kept", notKeptHow: "Lineal knows its digest, so that it is recognised wherever it turns up. Copies are kept of code, of what was printed, and of files that a client uploaded.", large: (size: string) => `${size}: too large to be shown here. It can be downloaded.`, noText: (size: string) => `${size} that are no text. It can be downloaded.`, noPicture: "The browser cannot show this as a picture.", table: "First rows", null: "null",
    rows: (k: number, all: number | null, cut: boolean) => (all !== null && all > k ? `first ${n.format(k)} of ${some(all, "row")}` : cut ? `first ${some(k, "row")}` : some(k, "row")), columns: (k: number) => some(k, "column"),
  },
  code: { uncommitted: "uncommitted changes", untracked: "not under version control", commits: "They ran different commits. What was committed between them is in the repository:", lost: "The lines of some of it are not kept any more.", unchanged: (k: number) => `${some(k, "unchanged line")}` },
  columns: { open: "Where it comes from and goes to", up: "Made from", down: "Goes into", of: "of", unknown: "Nobody said, and no values tell.", none: { up: "No column is known that it was made from.", down: "No column is known that it went into." }, sameValues: "inferred: both hold the very same values" },
  impact: { nothing: "Nothing depends on it.", total: (k: number, exact: boolean) => `${exact ? "" : "at least "}${some(k, "thing")} depend${k === 1 ? "s" : ""} on it`, live: "Live now:", away: (k: number) => some(k, "step") },
  difference: { against: "Against", id: "Id of another run", nobody: "choose a run", none: "No other run of this job", noneHow: "Name any run by its id to see how it differs from this one.", whole: "With everything upstream", sides: "First: the other run. Second: this one." },
  profile: {
    title: "Values and drift", ofInputs: "Values of what it read", ofInputsLead: "against the version before", none: "No profile of its values is recorded. CSV and Parquet files are profiled where `pip install 'lineal[data]'` was done.", against: "Against", nobody: "nothing earlier has a profile", spread: "Spread", nulls: "Empty", distinct: "Distinct", values: "Values", drift: "Drift", mean: "mean", same: "unchanged",
    rows: (all: number | null, read: number | null) => (all === null && read === null ? "" : read !== null && all !== null && read < all ? `${some(all, "row")}, of which ${n.format(read)} were looked at` : some(all ?? read ?? 0, "row")), compared: (v: string, rows: number | null) => `outlined: version ${v}${rows === null ? "" : `, ${some(rows, "row")}`}`,
    drifted: (k: number, all: number) => `Values moved in ${n.format(k)} of ${some(all, "column")}:`, steady: "No column drifted: what moved is within what chance gives.", percent: (share: number) => `${share > 0 && share < 0.001 ? "< 0.1" : share > 0.999 && share < 1 ? "> 99.9" : (share * 100).toFixed(share < 0.1 ? 1 : 0)} %`, withheld: "kept back: it names somebody", emptyText: "(empty)",
    verdicts: { none: "unchanged", small: "moved a little", drifted: "drifted", untold: "changed" } as Record<string, string>, newValues: "new:", goneValues: "gone:", rest: (k: number) => `${some(k, "more column")} changed within what chance gives`,
    legend: (psi: number, ks: number, js: number) => `A column drifted where PSI is above ${psi} and above three times what chance gives for that many rows, and KS above ${ks} or JS above ${js}. PSI: population stability index. KS: largest distance of the distribution functions. JS: Jensen-Shannon distance. n: values counted in each version.`,
    bins: (a: string, b: string) => `Histogram from ${a} to ${b}`, binsOfTimes: "Histogram over time", share: (value: string, now: number, before: number | undefined) => `${value}: ${(now * 100).toFixed(1)} %${before === undefined ? "" : `, before ${(before * 100).toFixed(1)} %`}`,
  },
  evidence: { observed: "observed: seen happening", declared: "declared: somebody said so", inferred: "inferred: worked out by a rule", imported: "imported from another system" } as Record<string, string>,
  level: { native: "identified by the system that keeps it", content: "identified by its bytes", declared: "as declared, not checked", sampled: "a sample only", none: "content not known" } as Record<string, string>,
  models: {
    title: "Models", lead: "Registered names and the versions behind them.", empty: "No model is registered yet", emptyHow: "Give a version a name, and it appears here with all that is known of it.", emptyCode: "lineal register models/m.pkl churn",
    name: "Name", newest: "Newest", aliases: "Aliases", live: "Live at", metrics: "Metrics of the newest", registered: "Registered", versions: "Versions", version: "Version", alias: "Alias", commit: "Commit", by: "By", pick: "Select two to compare", compareTwo: "Compare the selected", from: (v: string) => `Where ${v} comes from`, open: "open in lineage explorer", curves: "Training curves", against: (a: string, b: string) => `${a} against ${b}`, differences: (k: number) => some(k, "difference"), history: "Alias history", append: "append-only", nocurves: "No metric of these versions has more than one value.", sub: (v: number, l: number) => `${some(v, "version")} · ${some(l, "live deployment")}`,
    moved: (alias: string, v: number) => `${alias} → v${v}`, retired: (alias: string) => `${alias} taken away`, nohistory: "No alias was ever set.", nocard: "No description.", card: "Description", same: "No differences.", first: "There is no earlier version to compare with.", deployments: "Deployments", noneLive: "No version is live.",
    sources: (k: number) => some(k, "source"), steps: (k: number) => some(k, "step"), data: (k: number) => some(k, "table or file", "tables and files"), unknown: (k: number) => `${k} of unknown origin`, known: "all of known origin", liveCount: (k: number) => some(k, "deployment"), thisModel: "this version", health: "Completeness of the record", whole: "Everything asked for is known.",
  },
  compare: {
    title: "Compare", lead: "Why do these two differ?", a: "First", b: "Second", placeholder: "NAME@VERSION, run:ID or a path", go: "Compare", swap: "Swap", identical: "The very same bytes.", params: "Parameters", metrics: "Metrics", data: "Data", code: "Code", environment: "Environment", upstream: "Upstream", same: (k: number) => `${k} the same`, nothing: "No difference.", only: (side: string) => `only in ${side}`, upSame: (k: number) => `${some(k, "pair")} of upstream runs are alike`, columns: "columns", rows: "Rows", lineage: "Difference in the lineage", curves: "Curves", emptyTitle: "Choose two things to compare", emptyHow: "Two runs, or two versions: then the runs that made them are compared, and everything upstream.", type: "another type", values: "other values", unknown: "cannot be compared: content not known", added: "only in second", removed: "only in first", changed: "changed", delta: "Change", absent: "—",
  },
  datasets: {
    title: "Datasets", lead: "Tables and files that runs read and wrote, and other artifacts.", empty: "Nothing fits", emptyHow: "Loosen the filter. Data appears here when a recorded run reads or writes it.", filter: "Part of a name", kinds: "Kind", all: "All kinds", name: "Name", kind: "Kind", versions: "Versions", newest: "Last version", size: "Size", level: "Identified by", load: "Show more",
    schema: "Columns", noschema: "Its columns are not recorded.", producers: "Made by", consumers: "Read by", noproducers: "Nobody was seen making it.", noconsumers: "Nobody was seen reading it.", references: "References", impact: "What depends on it", version: (k: number) => `Version ${k}`, rows: "Rows", column: "Column", type: "Type", changes: "Since the version before", changesOf: (k: number, v: number) => (k ? `${n.format(k)} changed since version ${v}` : `none changed since version ${v}`), newColumn: "new", goneColumn: "gone", otherType: "other type", otherValues: "other values", sameColumn: "same", unknownColumn: "not comparable", made: "Made by", used: "Reads", recorded: "Recorded", files: "Files", candidates: "May come from", candidatesLead: "These hold the same bytes; none is taken as its ancestor.", aliases: "Registered as", location: "Location", members: "Files in it", digest: "Content", reason: "Why its content is not known", deleted: "This version was deleted. Its place in the lineage remains.",
  },
  jobs: { title: "Jobs", lead: "What is run again and again, and how it went.", empty: "No job ran yet", emptyHow: "A job appears with its first recorded run.", job: "Job", runs: "Runs", failed: "Failed", last: "Last run", recent: "Newest runs", duration: "Usual duration" },
  deployments: { title: "Deployments", lead: "What runs where, from what, since when.", empty: "Nothing was deployed yet", emptyHow: "Say that a version goes live:", emptyCode: "lineal deploy churn@champion prod", target: "Target", version: "Version", since: "Since", until: "Until", by: "By", live: "live", ended: "ended", history: "Earlier", now: "Live now", nothingLive: "Nothing is live." },
  settings: {
    title: "Settings", appearance: "Appearance", system: "As the system", light: "Light", dark: "Dark", you: "You", who: "Known as", may: "May", namespace: "Project", version: "Server version", tokens: "Tokens", tokensNo: "You need the permission store:admin to see and make tokens.", make: "Make a token", tokenName: "Name", scope: "Role", create: "Create", revoke: "Revoke", revokeAsk: (name: string) => `Take back the token of ${name}? Whoever uses it is locked out.`, created: "This is shown only now. Copy it to a safe place.", used: "Last used", state: "State", made: "Made", notokens: "No token was made yet: everybody on this machine may use the server. As soon as you make one, a token is needed.", days: "Days until it expires (empty: never)", copy: "Copy", copied: "Copied", warn: "With the first token the server asks everybody for one, this browser too.", insecure: "Tokens can be made only over HTTPS or on this machine; use `lineal token create`.",
    roles: { viewer: "viewer: look", ingest: "ingest: record", editor: "editor: look and record", promoter: "promoter: also registry and deployments", admin: "admin: everything" } as Record<string, string>, keys: "Keyboard",
    keyList: [["Ctrl K", "search"], ["g then h, r, l, m, d, j, p", "go to Home, Runs, Lineage, Models, Datasets, Jobs, Deployments"], ["/", "find in the graph, or the filter"], ["?", "this list"]] as const,
  },
  lineage: {
    title: "Lineage", choose: "Choose something to start from", chooseHow: "A model, a run or a table. The graph opens around it and never shows more than fits.", placeholder: "NAME@VERSION, run:ID or a path", open: "Open",
    both: "Both ways", up: "Ancestry", down: "Impact", budget: "Cards", fold: "Fold", governing: "Environment", find: "Find in graph", nodes: (shown: number, all: string) => `${shown} cards · ${all}`, of: (k: number) => `of ${count(k)}`, hidden: (k: number) => `${count(k)} hidden`, zoomIn: "Zoom in", zoomOut: "Zoom out", fit: "Fit to screen", export: "Export", share: "Copy link", copied: "The address of this very view is copied.", table: "Table", graph: "Graph", asof: "As of", now: "Now", nowLong: "As it stands now", asofTitle: (w: string) => `As of ${w}`,
    focus: "Focus here", expand: "Expand", collapse: "Fold again", pin: "Compare with…", compareHere: "Compare with pinned", unpin: "Unpin", pinned: (label: string) => `${label} is pinned. Choose another one and compare.`, openPage: "Open page", more: (k: string) => `+${k}`, moreUp: (k: string) => `${k} more before it; focus here`, moreDown: (k: string) => `${k} more behind it; focus here`, kind: "Kind", from: "From", to: "To", role: "Role", evidence: "How it is known", edge: "Edge", edges: "Edges", cards: "Cards", message: "Message", at: "At", times: (k: number) => some(k, "edge"), steps: (k: number) => some(k, "step"), members: (k: number) => some(k, "run", "runs"), alike: (k: number) => `${k} alike`, lead: "Leads on", unknown: "Its origin is unknown", deleted: "deleted", legend: { same: "the same", changed: "changed", left: "only first", right: "only second" } as Record<string, string>, facts: "Facts", changedFrom: (v: string) => `What changed from ${v}`, inspector: "Inspector", close: "Close", png: "Picture (PNG)", svg: "Drawing (SVG)", json: "Data (JSON)", mermaid: "Text (Mermaid)", nothing: "Nothing was recorded around it by then", also: "also produced by: not followed", loop: "against time", faint: "implied by a longer way", clear: "Clear selection", graphLabel: (c: number, e: number) => `Lineage graph with ${c} cards and ${e} edges; the table has the same content`, paths: "Only paths of the selection", producers: "Made by", consumers: "Read by", cutNote: "More lies beyond", none: "none", compareTitle: "Difference graph",
    keys: [["arrows", "go to the neighbouring card"], ["Enter", "select"], ["f", "focus on the selected card"], ["e", "expand or fold it"], ["p", "pin it, d compare with the pinned one"], ["/", "find"], ["t", "time"], ["0", "fit to screen"], ["+ −", "zoom"], ["Esc", "clear"]] as const,
  },
  value: { unknown: "unknown", none: "none", yes: "yes", no: "no" },
  ui: { close: "Close", cancel: "Cancel", ok: "OK", copy: "Copy", copied: "Copied", loading: "Loading", more: "Show more", columns: "Columns", download: "Download" },
};
