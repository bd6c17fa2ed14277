// After the build: measures it, refuses one that is too large, and puts a compressed form beside each text file.
import { readdirSync, readFileSync, statSync, writeFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const FOLDER = new URL("../../src/lineal/ui/static/", import.meta.url).pathname;
const FIRST_LOAD = 350 * 1024; // gzip
const ALL = 2 * 1024 * 1024;

const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(FOLDER, join(entry.parentPath ?? entry.path, entry.name)));
const manifest = JSON.parse(readFileSync(join(FOLDER, ".vite/manifest.json"), "utf8"));
const gzipped = (name) => {
  const body = readFileSync(join(FOLDER, name));
  return /\.(woff2|png)$/.test(name) ? body.length : gzipSync(body, { level: 9 }).length;
};

// What a visitor downloads before anything is seen: the page, the entry, what it imports, its styles, the text font.
const first = new Set(["index.html"]);
const follow = (key) => {
  const chunk = manifest[key];
  if (!chunk || first.has(chunk.file)) return;
  first.add(chunk.file);
  for (const name of chunk.css ?? []) first.add(name);
  for (const name of chunk.imports ?? []) follow(name);
};
follow("index.html");
follow("src/main.tsx"); // sent for by the first script at once
for (const name of files) if (/inter-latin-wght-normal.*woff2$/.test(name)) first.add(name);
const load = [...first].reduce((sum, name) => sum + gzipped(name), 0);
rmSync(join(FOLDER, ".vite"), { recursive: true });

let all = 0;
for (const name of files.filter((name) => !name.startsWith(".vite"))) {
  const path = join(FOLDER, name);
  all += statSync(path).size;
  if (!/\.(html|js|css|svg)$/.test(name)) continue;
  const body = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(body, { level: 9 }));
  writeFileSync(`${path}.br`, brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
const kb = (bytes) => `${(bytes / 1024).toFixed(0)} KB`;
console.log(`first load ${kb(load)} gzip (at most ${kb(FIRST_LOAD)}), all assets ${kb(all)} (at most ${kb(ALL)})`);
if (load > FIRST_LOAD || all > ALL) {
  console.error("The page has grown too large: look for a dependency that need not be loaded at first.");
  process.exit(1);
}
