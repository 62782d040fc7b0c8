// Serves Better Auth, after it has brought its tables up to date.
import { createServer } from "node:http";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { auth } from "./auth.mjs";
import { host, ports } from "./settings.mjs";

await (await getMigrations(auth.options)).runMigrations();
createServer(toNodeHandler(auth)).listen(ports.AUTH_PORT, host);
