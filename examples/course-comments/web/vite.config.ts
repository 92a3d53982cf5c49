import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where the API of `npm start -- course-comments` listens: `vite web` (with hot reload) passes on to it what is not the page. */
const api = "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  server: { port: 5173, proxy: { "/config.json": api, "/token": api, "/items": api } },
  build: {
    target: "es2024",
    // One file: the page needs all of it at once. Most of it is the Momento SDK, 340 kB when compressed.
    chunkSizeWarningLimit: 2500,
    // google-protobuf, a dependency of the SDK, looks with eval at the engine; it takes a refusal for an answer.
    rolldownOptions: { checks: { eval: false } },
  },
});
