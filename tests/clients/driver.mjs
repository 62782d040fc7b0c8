// Runs the glue of docs/spa.md for other clients against the API. Arguments: the directory of the code, one of the scenarios
// below, the base URL of the API, and a token. It prints what the scenario met, and the requests that were sent.
import { environmentManager, QueryClient } from "@tanstack/query-core";
import { pathToFileURL } from "node:url";

const [directory, scenario, baseURL, token] = process.argv.slice(2);
const code = (file) => import(pathToFileURL(`${directory}/${file}`));
const { settings } = await code("api.js");
Object.assign(settings, { baseURL, token: async () => token });
environmentManager.setIsServer(() => false);

const sent = []; // method and status, and what the answer says of itself
let lost = 0; // how many of the next answers do not arrive
let hold; // what the next answers wait for
const network = globalThis.fetch;
globalThis.fetch = async (address, init) => {
  const response = await network(address, init);
  const replayed = response.headers.get("Idempotency-Replayed") ? " replayed" : "";
  sent.push(`${init?.method ?? "GET"} ${response.status}${replayed}`);
  await hold;
  if (lost > 0) {
    lost--;
    await response.arrayBuffer();
    throw new TypeError("the answer is lost");
  }
  return response;
};

// Another client of the same user, whose requests are not counted.
async function elsewhere(method, path, body) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const response = await network(baseURL + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

const failure = (promise) => promise.then((value) => { throw new Error(`no error, but ${JSON.stringify(value)}`); }, (error) => error);
const titles = (rows) => rows.map(({ title }) => title).join("");

const scenarios = {
  async refineLists() {
    const provider = (await code("refine.js")).refineProvider();
    for (const title of "abcdefg") await elsewhere("POST", "api/tasks", { title });
    const list = (currentPage, more) => provider.getList({ resource: "tasks", pagination: { currentPage, pageSize: 3 }, ...more });
    const pages = [];
    const page = async (number, more) => {
      const before = sent.length;
      const { data, total } = await list(number, more);
      pages.push(`${titles(data)} of ${total} by ${sent.length - before}`);
    };
    const byTitle = { sorters: [{ field: "title", order: "asc" }] };
    for (const number of [1, 2, 3]) await page(number); // one after the other
    await page(3, byTitle); // a jump
    await page(2, byTitle); // it was on the way
    await page(4, byTitle); // there is none
    const { id } = await elsewhere("POST", "api/tasks", { title: "A b" });
    await provider.update({ resource: "tasks", id, variables: { completed: true } });
    await page(1, { filters: [{ field: "status", operator: "eq", value: "completed" }] });
    await page(1, { filters: [{ field: "q", operator: "contains", value: "B" }], sorters: [{ field: "title", order: "desc" }] });
    await page(2); // what was known of the pages is forgotten
    const whole = await provider.getList({ resource: "tasks", pagination: { mode: "off" } });
    const unknown = await failure(list(1, { filters: [{ field: "title", operator: "contains", value: "b" }] }));
    const unsorted = await failure(list(1, { sorters: [{ field: "description", order: "asc" }] }));
    const getMany = provider.getMany !== undefined;
    return { pages, whole: titles(whole.data), unknown: unknown.message, unsorted: unsorted.errors, getMany };
  },

  async refineChanges() {
    const provider = (await code("refine.js")).refineProvider();
    const task = { resource: "tasks" };
    const once = { ...task, variables: { title: "Once" }, meta: { headers: { "Idempotency-Key": "one" } } };
    const { data: created } = await provider.create(once);
    const { data: again } = await provider.create(once);
    const invalid = await failure(provider.create({ ...task, variables: { title: "" } }));
    const { data: row } = await provider.getOne({ ...task, id: created.id });
    const seen = { ...task, id: row.id, meta: { headers: { "If-Match": row.etag } } };
    const { data: changed } = await provider.update({ ...seen, variables: { completed: true } });
    const conflict = await failure(provider.update({ ...seen, variables: { title: "Lost" } }));
    const kept = await failure(provider.deleteOne(seen));
    await provider.deleteOne({ ...task, id: row.id });
    const missing = await failure(provider.getOne({ ...task, id: row.id }));
    return {
      same: created.id === again.id, changed, invalid: [invalid.statusCode, invalid.errors], kept: kept.statusCode,
      conflict: conflict.statusCode, missing: missing.statusCode,
    };
  },

  async collection() {
    const client = new QueryClient();
    const tasks = (await code("collection.js")).taskCollection(client);
    for (const title of ["old", "gone"]) await elsewhere("POST", "api/tasks", { title });
    await tasks.preload();
    const text = ({ id, title, completed }) => title + (id < 0 ? " unsaved" : "") + (completed ? " done" : "");
    const rows = () => tasks.toArray.map(text).sort().join(", ");
    const id = (title) => tasks.toArray.find((task) => task.title === title).id;
    const shown = [];
    tasks.subscribeChanges(() => shown.push(rows()));
    const held = []; // what is shown while the server's answer is held up
    const change = async (make) => {
      let release;
      hold = new Promise((done) => (release = done));
      const before = sent.length;
      const transaction = make();
      while (sent.length === before) await new Promise((done) => setTimeout(done, 5));
      held.push(rows());
      release();
      return transaction.isPersisted.promise;
    };
    const settled = [rows()];
    lost = 1;
    await change(() => tasks.insert({ id: -1, title: "new", description: null, completed: false }));
    settled.push(rows());
    await change(() => tasks.update(id("old"), (draft) => { draft.completed = true; }));
    settled.push(rows());
    await change(() => tasks.delete(id("gone")));
    settled.push(rows());
    const { fields } = await failure(change(() => tasks.insert({ id: -2, title: "", description: null, completed: false })));
    settled.push(rows());
    await elsewhere("DELETE", `api/tasks/${id("old")}`);
    await tasks.delete(id("old")).isPersisted.promise; // it is gone already
    settled.push(rows());
    await elsewhere("POST", "api/tasks", { title: "theirs" });
    await tasks.utils.refetch();
    settled.push(rows());
    return { held, settled, shown, fields };
  },
};

console.log(JSON.stringify({ ...(await scenarios[scenario]()), sent }));
process.exit(0); // the collection would poll on
