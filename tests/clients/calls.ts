// Calls that the document allows. They must compile, and do what they say. Arguments: the base URL of the API, and a token.
import { apiClient } from "./typed.js";

declare const process: { argv: string[] };
const [baseURL = "", token = ""] = process.argv.slice(2);
const client = apiClient(baseURL, async () => token);

export const created = await client.POST("/api/tasks", { body: { title: "one" }, params: { header: { "Idempotency-Key": "one" } } });
const id: number = created.data!.id;
const path = { id };
const read = await client.GET("/api/tasks/{id}", { params: { path } });
const description: string | null = read.data!.description;
const tag = read.response.headers.get("ETag") ?? "";
const seen = { path, header: { "If-Match": tag } };
const put = await client.PUT("/api/tasks/{id}", { params: seen, body: { title: "two", description: "more" } });
const patched = await client.PATCH("/api/tasks/{id}", { params: { path }, body: { completed: true, description: null } });
const toggled = await client.PATCH("/api/tasks/{id}/complete", { params: { path } });
const query = { status: "pending", sort: "-title", q: "TWO", limit: 10, count: true } as const;
const list = await client.GET("/api/tasks", { params: { query } });
const titles: string[] = list.data!.map((task) => task.title);
const lost = await client.PUT("/api/tasks/{id}", { params: seen, body: { title: "three" } });
const invalid = await client.POST("/api/tasks", { body: { title: "" } });
const places = typeof invalid.error!.detail === "string" ? [] : invalid.error!.detail.map(({ loc }) => loc.join("."));
const removed = await client.DELETE("/api/tasks/{id}", { params: { path } });
const health = await client.GET("/health");

const statuses = [created, read, put, patched, toggled, list, lost, invalid, removed, health].map(({ response }) => response.status);
const completed: boolean[] = [patched.data!.completed, toggled.data!.completed];
console.log(JSON.stringify({ statuses, description, titles, completed, places }));
