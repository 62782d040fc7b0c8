import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { alive, environment, patience, start } from "./stack.mjs";

// The processes below a pid, and their pids.
const below = (pid) =>
  execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
    .trim().split("\n").map((line) => line.trim().match(/^(\d+) +(\d+) +(.*)$/).slice(1))
    .filter(([, parent]) => Number(parent) === pid)
    .flatMap(([child, , args]) => [{ pid: Number(child), args }, ...below(Number(child))]);

test("npm start names three addresses that answer, and Ctrl-C leaves nothing behind", { timeout: 2 * patience }, async () => {
  const app = start(await environment());
  await app.ready;
  const lines = app.output.split("\n").filter((line) => /^(page|API|issuer) /.test(line));
  assert.equal(lines.length, 3, app.output);
  for (const line of lines) assert.equal((await fetch(line.match(/http\S+/)[0])).status, 200, line);
  const processes = below(app.child.pid);
  assert.ok(processes.length >= 4, JSON.stringify(processes));
  assert.ok(!(await app.interrupt()), app.output); // null: npm ends itself by the signal
  assert.deepEqual(processes.filter(alive), []);
  app.discard();
});

test("if one of the three ends, the others are stopped and npm start fails", { timeout: 2 * patience }, async () => {
  const app = start(await environment());
  await app.ready;
  const processes = below(app.child.pid);
  process.kill(processes.find(({ args }) => args.includes("issuer.mjs")).pid, "SIGKILL");
  assert.notEqual(await app.ended, 0);
  assert.match(app.output, /The issuer has ended/);
  assert.deepEqual(processes.filter(alive), []);
  app.discard();
});

test("a port in use is named, with the setting that changes it", { timeout: 2 * patience }, async () => {
  const env = await environment();
  const other = createServer().listen(env.API_PORT, "127.0.0.1");
  await once(other, "listening");
  const app = start(env);
  assert.notEqual(await app.ended, 0);
  assert.match(app.output, new RegExp(`Port ${env.API_PORT} is in use.*API_PORT=`));
  other.close();
  app.discard();
});
