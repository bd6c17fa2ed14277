// The first that runs, before any library has arrived: it asks the server for what the screen will show, and sends for its parts.
import "@fontsource-variable/inter";
import "@fontsource-variable/jetbrains-mono";
import "./app/tokens.css";
import "./app/base.css";
import { begin } from "./api/early";
import { first } from "./app/first";
import { parse } from "./app/place";
import { apply } from "./app/theme";
import { layouter } from "./lineage/worker";

apply();
const place = parse(window.location.hash);
for (const [path, query] of first(place)) begin(path, query);
void import("./main");
if (place.path === "/lineage") {
  layouter();
  void import("./lineage/explorer");
}
else if (place.path === "/runs") void import("./runs/runs");
else if (place.path === "/run") {
  void import("./runs/run");
  void import("./runs/charts");
}
