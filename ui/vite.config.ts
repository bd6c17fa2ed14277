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
  },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:7070" } },
  test: { include: ["src/**/*.test.ts"] },
});
