import { defineConfig } from "vitest/config";

// Everything is addressed relative to index.html, so that the page works below any path.
export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic" },
  build: {
    outDir: "../src/lineal/ui/static",
    emptyOutDir: true,
    assetsDir: "ui",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    manifest: true,
    // What nearly every screen needs comes with the first of them, not in a dozen files of a few bytes each.
    rollupOptions: { output: { manualChunks: (id) => (/node_modules\/(react|react-dom|scheduler|lucide-react|openapi-fetch|@tanstack\/(react-query|query-core))\//.test(id) ? "base" : /src\/kit\/(format|series)\.ts/.test(id) ? "kit" : undefined) } },
  },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:7070" } },
  test: { include: ["src/**/*.test.ts"] },
});
