import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import Database from "better-sqlite3";
import { environment, launch, patience, start } from "./stack.mjs";

const browser = await launch();
const env = await environment();
let app;

// A person with cookies, storage and cache of their own. Requests of theirs to the API are noted.
async function person(name, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  const email = `${name.replace(" ", "-")}-${Math.random()}@example.com`;
  const data = { name, email, password: "correct horse battery" };
  const signedUp = await context.request.post(`${app.url.page}/api/auth/sign-up/email`, { data, headers: { Origin: app.url.page } });
  assert.equal(signedUp.status(), 200);
  const { token } = await (await context.request.get(`${app.url.page}/api/auth/token`)).json();
  const api = async (method, path = "", body) => {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const response = await fetch(`${app.url.api}/api/tasks${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.status === 204 ? undefined : response.json();
  };
  const tab = async () => {
    const page = await context.newPage();
    page.on("pageerror", (error) => assert.fail(error));
    await page.goto(app.url.page);
    await page.getByRole("form", { name: "New task" }).waitFor();
    return page;
  };
  return { context, api, tab, token };
}

async function add(page, title, description = "") {
  const form = page.getByRole("form", { name: "New task" });
  await form.getByLabel("Title").fill(title);
  await form.getByLabel("Description").fill(description);
  await form.getByRole("button", { name: "Add task" }).click();
}

async function edit(page, title, changes) {
  await page.getByRole("button", { name: `Edit ${title}` }).click();
  const form = page.getByRole("form", { name: "Edit" });
  for (const [label, text] of Object.entries(changes)) await form.getByLabel(label).fill(text);
  return () => form.getByRole("button", { name: "Save" }).click();
}

const row = (page, title) => page.getByRole("checkbox", { name: `Done: ${title}`, exact: true });
const titles = (page) => page.locator("li.task strong").allTextContents();

// Waits until the page has made something true.
async function until(what, condition) {
  for (const end = Date.now() + patience; !(await condition()); await new Promise((done) => setTimeout(done, 50))) {
    assert.ok(Date.now() < end, `never: ${what}`);
  }
}

// Notes the requests of a page to the API.
function watch(page, method) {
  const seen = [];
  page.on("response", async (response) => {
    const request = response.request();
    if (request.method() !== method || !response.url().startsWith(app.url.api)) return;
    seen.push({ status: response.status(), sent: request.headers(), got: response.headers() });
  });
  return seen;
}

// An expired token of a person, signed by the issuer's own key.
async function expiredToken({ token }) {
  Object.assign(process.env, env);
  const { auth } = await import("../server/auth.mjs");
  const payload = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  const past = Math.floor(Date.now() / 1000) - 3600;
  return (await auth.api.signJWT({ body: { payload: { ...payload, iat: past - 900, exp: past } } })).token;
}

const keyOf = (authorization) => JSON.parse(Buffer.from(authorization.split(" ")[1].split(".")[0], "base64url")).kid;

async function picture(page, name) {
  const dir = process.env.SCREENSHOTS;
  if (!dir) return;
  mkdirSync(dir, { recursive: true });
  await page.locator("#status:empty").waitFor({ state: "attached" });
  await page.mouse.move(0, 0);
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(dir, name), animations: "disabled" });
}

const someTasks = [
  ["Water the plants"],
  ["Call the dentist", "Ask for a date after the 12th"],
  ["Book train tickets", "Two seats by the window"],
  ["Buy groceries", "milk, eggs, bread"],
];

describe("the app", { skip: !browser && "Chromium is not installed" }, () => {
  before(async () => {
    app = start(env);
    await app.ready;
  });
  after(async () => {
    await browser.close();
    await app.interrupt();
    app.discard();
  });

  test("a first visit asks no other origin than the page's own", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(app.url.page);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await page.waitForLoadState("networkidle");
    assert.ok(asked.length > 2);
    assert.deepEqual(asked.filter((url) => !url.startsWith(`${app.url.page}/`)), []);
    await context.close();

    const ann = await person("Ann");
    ann.context.on("request", (request) => asked.push(request.url()));
    const signedIn = await ann.tab();
    await signedIn.getByText("Nothing to do").waitFor();
    assert.deepEqual(asked.filter((url) => !url.startsWith(`${app.url.page}/`) && !url.startsWith(`${app.url.api}/`)), []);
    await ann.context.close();
  });

  test("the keyboard alone suffices, from signing up to signing out and in again", async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    const { keyboard } = page;
    const tabTo = async (selector) => {
      await page.locator(selector).first().waitFor();
      for (let tabs = 0; tabs < 60; tabs++) {
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
        await keyboard.press("Tab");
      }
      assert.fail(`Tab never reaches ${selector}`);
    };
    const fill = async (name, text) => (await tabTo(`[name=${name}]`), await keyboard.type(text));
    const email = `keyboard-${Math.random()}@example.com`;

    await page.goto(app.url.page);
    await tabTo("button.plain");
    await keyboard.press("Enter");
    await fill("name", "Ann");
    await fill("email", email);
    await fill("password", "correct horse battery");
    await keyboard.press("Enter");
    await tabTo('[aria-label="New task"] input');
    await keyboard.type("Buy milk");
    await keyboard.press("Enter");
    await row(page, "Buy milk").waitFor();

    await tabTo('[aria-label="Edit Buy milk"]');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, "solid", "the focus is not visible");
    await keyboard.press("Enter");
    await tabTo('[aria-label="Edit Buy milk"] input'); // where the focus is already
    await keyboard.press("End");
    await keyboard.type(" and eggs");
    await keyboard.press("Enter");
    await row(page, "Buy milk and eggs").waitFor();
    const focused = () => page.evaluate(() => document.activeElement.ariaLabel);
    await until("the focus is back on the button", async () => (await focused()) === "Edit Buy milk and eggs");

    await tabTo('[aria-label="Done: Buy milk and eggs"]');
    await keyboard.press("Space");
    await page.getByRole("status").getByText("is done").waitFor();
    await tabTo("[name=status]");
    await keyboard.press("ArrowRight");
    await page.getByText("No task matches.").waitFor();
    await keyboard.press("ArrowRight");
    await row(page, "Buy milk and eggs").waitFor();

    page.once("dialog", (dialog) => dialog.accept());
    await tabTo('[aria-label="Delete Buy milk and eggs"]');
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "0 tasks" }).waitFor();

    await tabTo("header button");
    await keyboard.press("Enter");
    await fill("email", email);
    await fill("password", "correct horse battery");
    await keyboard.press("Enter");
    await page.getByText("Nothing to do").waitFor();
    await context.close();
  });

  test("two people never see each other's tasks", async () => {
    const [ann, bob] = await Promise.all([person("Ann"), person("Bob")]);
    const [hers, his] = await Promise.all([ann.tab(), bob.tab()]);
    await Promise.all([add(hers, "Ann's secret"), add(his, "Bob's secret")]);
    await Promise.all([row(hers, "Ann's secret").waitFor(), row(his, "Bob's secret").waitFor()]);
    await Promise.all([hers.reload(), his.reload()]);
    await Promise.all([row(hers, "Ann's secret").waitFor(), row(his, "Bob's secret").waitFor()]);
    assert.deepEqual(await titles(hers), ["Ann's secret"]);
    assert.deepEqual(await titles(his), ["Bob's secret"]);

    // Carl at Ann's browser, after her.
    await hers.getByRole("button", { name: "Sign out" }).click();
    await hers.getByRole("button", { name: "I am new here" }).click();
    const carl = { Name: "Carl", "E-mail": `carl-${Math.random()}@example.com`, Password: "correct horse battery" };
    for (const [label, text] of Object.entries(carl)) await hers.getByLabel(label).fill(text);
    await hers.getByRole("button", { name: "Create account" }).click();
    await hers.getByText("Nothing to do").waitFor();
    assert.deepEqual(await titles(hers), []);
    await Promise.all([ann.context.close(), bob.context.close()]);
  });

  test("tasks are filtered, searched and ordered", async () => {
    const ann = await person("Ann");
    for (const [title, description] of someTasks) await ann.api("POST", "", { title, description });
    const page = await ann.tab();
    const shows = (...wanted) => until(`${wanted}`, async () => JSON.stringify(await titles(page)) === JSON.stringify(wanted));
    await shows("Buy groceries", "Book train tickets", "Call the dentist", "Water the plants");
    await row(page, "Call the dentist").click();
    await page.getByLabel("To do").check();
    await shows("Buy groceries", "Book train tickets", "Water the plants");
    await page.getByLabel("Done", { exact: true }).check();
    await shows("Call the dentist");
    await page.getByLabel("All", { exact: true }).check();
    await page.getByLabel("Search").fill("EGGS groc");
    await shows("Buy groceries");
    await page.getByLabel("Search").fill("");
    await page.getByLabel("Order").selectOption("By title");
    await shows("Book train tickets", "Buy groceries", "Call the dentist", "Water the plants");
    await ann.context.close();
  });

  test("of two tabs that change a task the second is told, and chooses", async () => {
    const ann = await person("Ann");
    for (const title of ["First", "Second"]) await ann.api("POST", "", { title });
    const [one, two] = [await ann.tab(), await ann.tab()];
    for (const [title, choice, left] of [["First", "Keep mine", "First of one"], ["Second", "Take theirs", "Second of two"]]) {
      const save = await edit(one, title, { Title: `${title} of one` });
      await (await edit(two, title, { Title: `${title} of two` }))();
      await row(two, `${title} of two`).waitFor();
      await save();
      await one.getByText("was changed elsewhere while you were editing it").waitFor();
      assert.equal((await ann.api("GET", `?q=${title}`))[0].title, `${title} of two`, "it was overwritten");
      for (const text of [`${title} of one`, `${title} of two`]) await one.locator(".versions").getByText(text).waitFor();
      await one.getByRole("button", { name: choice }).click();
      await row(one, left).waitFor();
      await until(left, async () => (await ann.api("GET", `?q=${title}`))[0].title === left);
    }
    await ann.context.close();
  });

  test("a change is shown at once, and undone if the server refuses it", async () => {
    const ann = await person("Ann");
    const { id } = await ann.api("POST", "", { title: "Old" });
    const page = await ann.tab();
    let release;
    await page.route(`**/api/tasks/${id}`, async (route) => {
      if (route.request().method() === "PATCH") await new Promise((done) => (release = done));
      await route.continue();
    });
    await (await edit(page, "Old", { Title: "x".repeat(201) }))();
    await page.getByText("x".repeat(201)).waitFor(); // while the server has not answered
    await until("the request is sent", () => release);
    release();
    await page.getByText("at most 200 characters").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await row(page, "Old").waitFor();
    await ann.context.close();
  });

  test("faults of a 422 are shown at their fields, and nothing that was typed is lost", async () => {
    const ann = await person("Ann");
    const page = await ann.tab();
    await add(page, " ", "d".repeat(1001));
    const form = page.getByRole("form", { name: "New task" });
    for (const [label, text, fault] of [["Title", " ", "blank"], ["Description", "d".repeat(1001), "at most 1000 characters"]]) {
      await form.getByText(fault).waitFor();
      const field = form.getByLabel(label);
      assert.equal(await field.getAttribute("aria-invalid"), "true");
      assert.match(await page.locator(`[id="${await field.getAttribute("aria-describedby")}"]`).textContent(), new RegExp(fault));
      assert.equal(await field.inputValue(), text);
    }
    await add(page, "Fine");
    await row(page, "Fine").waitFor();
    await until("no fault is shown", async () => (await form.locator(".fault").count()) === 0);
    await ann.context.close();
  });

  test("a task that is added offline arrives exactly once when the network is back", async () => {
    const ann = await person("Ann");
    const page = await ann.tab();
    await page.getByText("Nothing to do").waitFor();
    await ann.context.setOffline(true);
    await page.getByText("You are offline").waitFor();
    await add(page, "Earlier");
    await add(page, "Later");
    await until("both wait", async () => (await page.getByText("Not sent yet").count()) === 2);
    assert.deepEqual(await ann.api("GET"), []);
    await ann.context.setOffline(false);
    await Promise.all([row(page, "Earlier").waitFor(), row(page, "Later").waitFor()]);
    assert.deepEqual((await ann.api("GET")).map(({ title }) => title), ["Later", "Earlier"]);
    await until("none waits", async () => (await page.getByText("Not sent yet").count()) === 0);
    await ann.context.close();
  });

  for (const reloads of [false, true]) {
    test(`a task whose answer is lost ${reloads ? "before a reload" : "on the way"} is created exactly once`, async () => {
      const ann = await person("Ann");
      const page = await ann.tab();
      const posts = watch(page, "POST");
      let lost = 0;
      const lose = async (route) => {
        if (route.request().method() !== "POST" || (lost > 0 && !reloads)) return route.continue();
        await route.fetch(); // the server has created it
        lost++;
        await route.abort("connectionreset");
      };
      await page.route("**/api/tasks", lose);
      await add(page, "Once");
      await until("an answer is lost", () => lost > 0);
      await page.getByText("Not sent yet").waitFor();
      if (reloads) {
        await page.unroute("**/api/tasks", lose);
        await page.reload();
      }
      await row(page, "Once").waitFor();
      await until("none waits", async () => (await page.getByText("Not sent yet").count()) === 0);
      assert.equal((await ann.api("GET")).length, 1);
      await until("the answer is repeated", () => posts.at(-1)?.got["idempotency-replayed"] === "true");
      await page.reload();
      await row(page, "Once").waitFor();
      assert.equal((await ann.api("GET")).length, 1, "what is done is sent again");
      await ann.context.close();
    });
  }

  test("an expired token is replaced, and the user notices nothing", async () => {
    const ann = await person("Ann");
    await ann.api("POST", "", { title: "Mine" });
    const expired = await expiredToken(ann);
    let used = false;
    await ann.context.route("**/api/auth/token", (route) => {
      if (used) return route.continue();
      used = true;
      return route.fulfill({ json: { token: expired } });
    });
    const page = await ann.context.newPage();
    const gets = watch(page, "GET");
    await page.goto(app.url.page);
    await row(page, "Mine").waitFor();
    assert.deepEqual(gets.slice(0, 2).map(({ status }) => status), [401, 200]);
    assert.equal(await page.getByRole("alert").count(), 0);
    await ann.context.close();
  });

  test("when the issuer rotates its key the app goes on", async () => {
    const ann = await person("Ann");
    const page = await ann.tab();
    const posts = watch(page, "POST");
    await add(page, "Before");
    await row(page, "Before").waitFor();
    const keys = new Database(join(env.DATA, "auth.db"));
    keys.prepare("update jwks set expiresAt = ?").run(new Date(Date.now() - 60_000).toISOString());
    keys.close();
    await add(page, "With the old key"); // it is still published
    await row(page, "With the old key").waitFor();
    // The token expires.
    const headers = { Authorization: `Bearer ${await expiredToken(ann)}` };
    await page.route("**/api/tasks", (route) => route.continue({ headers: { ...route.request().headers(), ...headers } }), { times: 1 });
    await add(page, "With the new key");
    await row(page, "With the new key").waitFor();
    assert.deepEqual(posts.filter(({ status }) => status !== 401).map(({ status }) => status), [201, 201, 201]);
    const [before, old, fresh] = posts.filter(({ status }) => status === 201).map(({ sent }) => keyOf(sent.authorization));
    assert.equal(before, old);
    assert.notEqual(old, fresh);
    await ann.context.close();
  });

  test("polls bring what changed elsewhere, and nothing while nothing has changed", async () => {
    const ann = await person("Ann");
    const { id } = await ann.api("POST", "", { title: "Old" });
    const page = await ann.tab();
    const gets = watch(page, "GET");
    await row(page, "Old").waitFor();
    await until("an unchanged poll", () => gets.some(({ status, sent }) => status === 304 && sent["if-none-match"]));
    await ann.api("PATCH", `/${id}`, { title: "New" });
    await row(page, "New").waitFor();
    await ann.context.close();
  });

  test("1,000 tasks are scrolled, and each is seen once", async () => {
    const ann = await person("Ann");
    const wanted = Array.from({ length: 1000 }, (_, i) => `Task ${i}`);
    for (const title of wanted) await ann.api("POST", "", { title });
    const page = await ann.tab();
    await page.getByRole("heading", { name: "1,000 tasks" }).waitFor();
    assert.ok((await titles(page)).length < 200, "they are read at once");
    await until("the end of the list", async () => {
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      return (await page.locator("li.task").count()) >= 1000;
    });
    assert.deepEqual(await titles(page), wanted.toReversed());
    assert.equal(await page.getByRole("button", { name: "Show more" }).count(), 0);
    await ann.context.close();
  });

  for (const [name, options] of Object.entries({
    light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
    dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
    phone: { viewport: { width: 390, height: 844 }, colorScheme: "light" },
  })) {
    test(`axe finds nothing serious (${name})`, async () => {
      const axe = readFileSync(join(import.meta.dirname, "../node_modules/axe-core/axe.min.js"), "utf8");
      const judge = async (page, what) => {
        await page.evaluate(axe);
        await until("animations end", () => page.evaluate(() => document.getAnimations().every((a) => a.playState !== "running")));
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
        assert.deepEqual(serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], what);
      };
      const stranger = await browser.newContext(options);
      const signIn = await stranger.newPage();
      await signIn.goto(app.url.page);
      await signIn.getByRole("button", { name: "I am new here" }).click();
      await judge(signIn, "signing up");
      await stranger.close();

      const ann = await person("Ann Example", options);
      for (const [title, description] of someTasks) await ann.api("POST", "", { title, description });
      const page = await ann.tab();
      await row(page, "Water the plants").click();
      await page.getByRole("status").getByText("is done").waitFor();
      await judge(page, "a list and a message");
      await picture(page, `web-${name}.png`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "it scrolls sideways");

      await add(page, "");
      await page.getByText("at least 1 character").waitFor();
      const save = await edit(page, "Call the dentist", { Title: "Call the doctor" });
      await judge(page, "a fault and a form");
      const [{ id }] = await ann.api("GET", "?q=dentist");
      await ann.api("PATCH", `/${id}`, { description: "On Monday" });
      await save();
      await page.getByRole("button", { name: "Keep mine" }).waitFor();
      await ann.context.setOffline(true);
      await page.getByText("You are offline").waitFor();
      await add(page, "Later");
      await page.getByText("Not sent yet").waitFor();
      await judge(page, "a conflict, offline");
      await picture(page, `web-${name}-conflict.png`);
      await ann.context.close();
    });
  }

  test("types made from the running server are those of src/api.d.ts", () => {
    const openapiTypescript = join(import.meta.dirname, "../node_modules/openapi-typescript/bin/cli.js");
    const made = execFileSync(process.execPath, [openapiTypescript, `${app.url.api}/openapi.yaml`, "--default-non-nullable", "false"], { encoding: "utf8" });
    assert.equal(readFileSync(join(import.meta.dirname, "../src/api.d.ts"), "utf8").trim(), made.trim(), "run: npm run types");
  });
});
