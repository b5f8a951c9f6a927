import { defineConfig } from "vite";

export default defineConfig({
  // Relative, so that the page works behind any prefix a proxy puts before it.
  base: "./",
  build: {
    target: "es2022",
    // No inline script is left for a content security policy to forbid.
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 300,
  },
  server: {
    // `npm run dev` beside a running swarm: its API under the page's own origin.
    proxy: {
      "/api": { target: process.env.MIRRORCORE_URL ?? "http://127.0.0.1:8420", ws: true },
    },
  },
});
