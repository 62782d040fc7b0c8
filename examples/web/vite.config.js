import { defineConfig } from "vite";
import { host, ports, urls } from "./server/settings.mjs";

const port = Number(ports.PAGE_PORT);
// The issuer answers under the page's own origin: its cookies are first-party, and it needs no CORS.
export default defineConfig({ preview: { host, port, strictPort: true, proxy: { "/api/auth": urls.auth } } });
