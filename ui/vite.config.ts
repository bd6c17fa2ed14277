import type { OutputChunk } from "rollup";
import { defineConfig, type Plugin } from "vitest/config";

/** What the first script sends for is named in the page too, so that the browser fetches it at the same time as that script. */
const sentFor: Plugin = {
  name: "sent-for",
  transformIndexHtml: {
    order: "post",
    handler: (_, { bundle }) => {
      const chunks = Object.values(bundle ?? {}).filter((one): one is OutputChunk => one.type === "chunk");
      const main = chunks.find((one) => one.facadeModuleId?.endsWith("/src/main.tsx"));
      const entry = chunks.find((one) => one.isEntry);
      const names = main ? [main.fileName, ...main.imports].filter((name) => name !== entry?.fileName) : [];
      const font = Object.keys(bundle ?? {}).find((name) => /inter-latin-wght-normal.*woff2$/.test(name));
      return [
        ...names.map((name) => ({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: `./${name}` }, injectTo: "head" as const })),
        ...(font ? [{ tag: "link", attrs: { rel: "preload", as: "font", type: "font/woff2", crossorigin: true, href: `./${font}` }, injectTo: "head" as const }] : []),
      ];
    },
  },
};

// Everything is addressed relative to index.html, so that the page works below any path.
export default defineConfig({
  base: "./",
  plugins: [sentFor],
  esbuild: { jsx: "automatic" },
  build: {
    outDir: "../src/lineal/ui/static",
    emptyOutDir: true,
    assetsDir: "ui",
    assetsInlineLimit: (path) => path.endsWith(".svg"), // two requests fewer; fonts and scripts stay files, as the policy of the page wants
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    manifest: true,
    // What nearly every screen needs comes with the first of them, not in a dozen files of a few bytes each.
    rollupOptions: {
      output: {
        manualChunks: (id) => {
          if (/src\/(start|app\/(first|place|theme)|api\/early|lineage\/(asked|worker))\.ts$/.test(id)) return "start";
          if (/node_modules\/(react|react-dom|scheduler|lucide-react|openapi-fetch|@tanstack\/(react-query|query-core))\//.test(id)) return "base";
          return /src\/(text|api\/client|lineage\/ask|more\/home|kit\/(format|later|series|parts)|app\/(ahead|head|live|route|search|shell|signin))\.tsx?$/.test(id) ? "shell" : undefined;
        },
      },
    },
  },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:7070" } },
  test: { include: ["src/**/*.test.ts"] },
});
