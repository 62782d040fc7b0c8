// What the tests share: the app as npm start serves it, on free ports and with data of its own, and a browser.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const patience = Number(process.env.PATIENCE ?? 90_000); // milliseconds: for a slow machine

export async function freePorts(count) {
  const probes = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(probes.map((probe) => once(probe, "listening")));
  const ports = probes.map((probe) => probe.address().port);
  await Promise.all(probes.map((probe) => once(probe.close(), "close")));
  return ports;
}

export async function environment() {
  const [API_PORT, AUTH_PORT, PAGE_PORT] = await freePorts(3);
  return { API_PORT, AUTH_PORT, PAGE_PORT, DATA: mkdtempSync(join(tmpdir(), "taskapi-web-")) };
}

export function alive({ pid }) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

// Starts the three servers. ready settles when they answer, or ended with the exit code when they do not.
export function start(env) {
  const child = spawn("npm", ["start"], { cwd: join(import.meta.dirname, ".."), env: { ...process.env, ...env }, detached: true });
  process.once("exit", () => alive(child) && process.kill(-child.pid, "SIGKILL")); // a test has failed
  const app = { child, output: "", ended: once(child, "close").then(([code]) => code) };
  app.ready = new Promise((done, failed) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => (app.output += text).includes("Ctrl-C stops") && done());
    }
    app.ended.then((code) => failed(new Error(`npm start has ended with ${code}: ${app.output}`)));
  });
  app.ready.catch(() => {});
  // What a terminal does at Ctrl-C: the signal reaches all of the group.
  app.interrupt = () => (process.kill(-child.pid, "SIGINT"), app.ended);
  app.url = { api: `http://127.0.0.1:${env.API_PORT}`, page: `http://127.0.0.1:${env.PAGE_PORT}` };
  app.discard = () => rmSync(env.DATA, { recursive: true });
  return app;
}

// undefined if there is no Chromium, which CI does not allow.
export async function launch() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      const executablePath = execFileSync("which", [name], { encoding: "utf8" }).trim();
      return await chromium.launch({ executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
    } catch (error) {
      if (error.status !== 1) throw error;
    }
  }
  if (process.env.CI) throw new Error("Chromium is not installed");
}
