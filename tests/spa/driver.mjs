// Runs the code of docs/spa.md as a page would, against the API. Arguments: the directory of the code, one of the scenarios
// below, the base URL of the API, and a token. It prints what the scenario met, and the requests that the page sent.
import { environmentManager, InfiniteQueryObserver, MutationObserver, QueryClient, QueryObserver } from "@tanstack/query-core";
import { pathToFileURL } from "node:url";

const [directory, scenario, baseURL, token] = process.argv.slice(2);
const code = (file) => import(pathToFileURL(`${directory}/${file}`));
const { settings, call } = await code("api.js");
const { retrying } = await code("retry.js");
const { dataOf, taskQuery, tasksQuery } = await code("poll.js");
const { changeTask } = await code("change.js");
const { createTask, newTask, unsentTask } = await code("create.js");
const { taskPages } = await code("scroll.js");

// What a browser has and Node.js does not.
environmentManager.setIsServer(() => false);
const stored = new Map();
globalThis.sessionStorage = {
  getItem: (name) => stored.get(name) ?? null,
  setItem: (name, value) => stored.set(name, value),
  removeItem: (name) => stored.delete(name),
};

const sent = []; // method and status, and what the answer says of itself
let lost = 0; // how many of the next answers do not arrive
const waits = []; // milliseconds from a 429 to the next request
let refused; // when the last answer was a 429
const network = globalThis.fetch;
globalThis.fetch = async (address, init) => {
  if (refused) waits.push(Date.now() - refused);
  const response = await network(address, init);
  refused = response.status === 429 ? Date.now() : undefined;
  const replayed = response.headers.get("Idempotency-Replayed") ? " replayed" : "";
  sent.push(`${init?.method ?? "GET"} ${response.status}${replayed}`);
  if (lost > 0) {
    lost--;
    await response.arrayBuffer();
    throw new TypeError("the answer is lost");
  }
  return response;
};
Object.assign(settings, { baseURL, token: async () => token });

// Another client of the same user, whose requests are not counted.
async function elsewhere(method, path, body) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const response = await network(baseURL + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

const client = new QueryClient();
const mutate = (options, variables, page = client) => new MutationObserver(page, options).mutate(variables);
const failure = (promise) => promise.then((value) => { throw new Error(`no error, but ${JSON.stringify(value)}`); }, (error) => error);
const observers = [];

// watch keeps a query active, and what it showed.
function watch(observer) {
  const shown = [];
  observers.push(observer.subscribe(({ data }) => data !== shown.at(-1) && shown.push(data)));
  return shown;
}

async function until(what, condition) {
  for (const end = Date.now() + 20_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`never: ${what}; sent: ${sent}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

const scenarios = {
  async errors() {
    settings.token = async (fresh) => (fresh ? token : "one that has expired");
    const invalid = await failure(call("api/tasks", { method: "POST", headers: { "Content-Type": "application/json" }, body: `{"title": "", "description": 5}` }));
    const missing = await failure(call("api/tasks/9999999"));
    return { fields: invalid.fields, message: missing.message, requestID: missing.requestID };
  },

  async poll() {
    const shown = watch(new QueryObserver(client, { ...tasksQuery, refetchInterval: 20 }));
    await until("three answers", () => sent.length >= 3);
    await elsewhere("POST", "api/tasks", { title: "New" });
    await until("the new task", () => shown.at(-1)?.body.length === 1);
    return { shown: shown.filter(Boolean).map(({ body }) => body.length) };
  },

  async conflict() {
    const { id } = await elsewhere("POST", "api/tasks", { title: "Old" });
    const page = watch(new QueryObserver(client, { ...taskQuery(id), refetchInterval: false }));
    await until("the task", () => page.at(-1));
    const seen = page.at(-1);
    await elsewhere("PATCH", `api/tasks/${id}`, { title: "Theirs" });
    const change = changeTask(client, id);
    const conflict = await failure(mutate(change, { changes: { description: "mine" }, seen }));
    const afterwards = await elsewhere("GET", `api/tasks/${id}`);
    await mutate(change, { changes: conflict.mine, seen: conflict.theirs });
    const texts = ({ title, description }) => `${title}, ${description}`;
    return { shown: page.filter(Boolean).map(({ body }) => texts(body)), theirs: texts(conflict.theirs.body), afterwards: texts(afterwards) };
  },

  async lostChange() {
    const { id } = await elsewhere("POST", "api/tasks", { title: "Old", description: "more" });
    const seen = await client.fetchQuery(taskQuery(id));
    lost = 1;
    const { body, etag } = await mutate(changeTask(client, id), { changes: { completed: true, description: null }, seen });
    return { completed: body.completed, description: body.description, title: body.title, etag };
  },

  async create() {
    lost = 1;
    const { id } = await mutate(createTask(client), newTask({ title: "Retried" }));
    lost = 1;
    await failure(mutate({ ...createTask(client), retry: false }, newTask({ title: "Reloaded" })));
    const task = unsentTask();
    const pressedAgain = newTask({ title: "Reloaded" }).key === task.key;
    await mutate(createTask(new QueryClient()), task); // after a reload
    const unsent = unsentTask();
    await mutate(createTask(client), newTask({ title: "Reloaded" })); // wanted twice
    const reused = await failure(mutate(createTask(client), { ...task, body: `{"title": "Other"}` }));
    await failure(mutate(createTask(client), newTask({ title: "" })));
    return { id, pressedAgain, unsent, reused: reused.fields, refused: unsentTask() };
  },

  async scroll() {
    for (const title of "abcdefghij") await elsewhere("POST", "api/tasks", { title: `task ${title}` });
    await elsewhere("POST", "api/tasks", { title: "something else" });
    const observer = new InfiniteQueryObserver(client, taskPages({ q: "TASK", sort: "-title" }, 3));
    const shown = watch(observer);
    await until("the first page", () => shown.at(-1));
    await elsewhere("POST", "api/tasks", { title: "task z" }); // before the rows that were read
    const [{ rows }] = shown.at(-1).pages;
    await elsewhere("DELETE", `api/tasks/${rows[2].id}`); // the last one that was read
    while (observer.getCurrentResult().hasNextPage) await observer.fetchNextPage();
    const { pages } = observer.getCurrentResult().data;
    const totals = pages.map((page) => page.total);
    return { titles: pages.flatMap((page) => page.rows.map((row) => row.title.at(-1))).join(""), totals, sizes: pages.map((page) => page.rows.length) };
  },

  async limit() {
    const before = await client.fetchQuery(tasksQuery);
    while (waits.length === 0) {
      for (let status; status !== 429; ) status = await call("api/tasks").then((answer) => answer.status, (error) => error.status);
      refused = undefined; // by what is no page
      await client.fetchQuery(tasksQuery);
    }
    lost = 1;
    const after = await dataOf(await retrying(() => call("api/tasks")));
    return { waits, same: before.etag === after.etag };
  },
};

const result = await scenarios[scenario]();
observers.forEach((unsubscribe) => unsubscribe());
client.clear();
console.log(JSON.stringify({ ...result, sent }));
