import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where the backend of `npm start -- sumu-demo` listens: `vite web` (with hot reload) passes on to it what is not the page. */
const backend = "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  server: { port: 5173, proxy: { "/config.json": backend, "/name": backend } },
  // One file: the page needs all of it at once.
  build: { target: "es2024", chunkSizeWarningLimit: 1000 },
});
