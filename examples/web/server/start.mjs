// Builds the API and the page, and serves them with the issuer until Ctrl-C, or until one of the three ends.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { data, host, ports, urls } from "./settings.mjs";

const example = join(import.meta.dirname, "..");
const vite = [join(example, "node_modules/vite/bin/vite.js"), "--logLevel", "error"];
const outDir = ["--outDir", join(data, "page")];

function fail(message) {
  console.error(message);
  process.exit(1);
}

function build(what, command, args, options) {
  console.log(`Building ${what} …`);
  const { error, status } = spawnSync(command, args, { stdio: "inherit", ...options });
  if (error?.code === "ENOENT") fail(`${command} is not installed. Building ${what} needs it.`);
  if (error || status !== 0) fail(`Building ${what} has failed.`);
}

const inUse = (port) =>
  new Promise((done) => {
    const probe = createServer().once("error", () => done(true));
    probe.listen(port, host, () => probe.close(() => done(false)));
  });

for (const [name, port] of Object.entries(ports)) {
  if (await inUse(port)) fail(`Port ${port} is in use. Choose another one: ${name}=${Number(port) + 1} npm start`);
}
mkdirSync(data, { recursive: true });
build("the API", "go", ["build", "-o", join(data, "taskapi"), "."], { cwd: join(example, "../..") });
const env = { ...process.env, VITE_API_URL: urls.api };
build("the page", process.execPath, [...vite, "build", ...outDir, "--emptyOutDir"], { cwd: example, env });

const running = new Set();
let code; // of the exit, once the end has begun
function stop(reason) {
  const signal = code === undefined ? "SIGTERM" : "SIGKILL"; // at the second Ctrl-C
  code ??= reason;
  for (const child of running) child.kill(signal);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(0));

function start(what, command, args, options) {
  if (code !== undefined) return;
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], ...options });
  running.add(child);
  child.once("close", () => {
    running.delete(child);
    if (code === undefined) console.error(`${what} has ended, so the others are stopped.`);
    if (code === undefined) stop(1);
    if (running.size === 0) process.exit(code);
  });
}

const answers = (url) => fetch(url).then(({ ok }) => ok, () => false);
async function ready(url) {
  while (code === undefined && !(await answers(url))) await new Promise((done) => setTimeout(done, 50));
}

start("The issuer", process.execPath, [join(import.meta.dirname, "issuer.mjs")]);
await ready(`${urls.auth}/api/auth/ok`);
start("The page", process.execPath, [...vite, "preview", ...outDir], { cwd: example });
await ready(urls.page);
start("The API", join(data, "taskapi"), [], {
  cwd: data, // for tasks.db
  env: {
    ENVIRONMENT: "production", // the issuer's keys suffice there
    LOG_LEVEL: "warn",
    ...process.env,
    ...{ HOST: host, PORT: ports.API_PORT, BETTER_AUTH_URL: urls.page, CORS_ORIGINS: urls.page },
  },
});
await ready(`${urls.api}/ready`);
if (code === undefined) {
  console.log(`
page    ${urls.page}/ (open this one)
API     ${urls.api}/docs/
issuer  ${urls.auth}/api/auth/ok

Ctrl-C stops all three.`);
}
