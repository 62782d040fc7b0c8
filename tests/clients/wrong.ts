// Calls that the document forbids, each wrong in one thing. None may compile: the compiler also complains of an expected error
// that is not one. Nothing runs this.
import type { components } from "./schema.js";
import { apiClient } from "./typed.js";

const client = apiClient("", async () => "");
const path = { id: 1 };
const body = { title: "a title" };

// @ts-expect-error no such path
await client.GET("/api/task");
// @ts-expect-error no such path below a row
await client.GET("/api/tasks/{id}/complete", { params: { path } });
// @ts-expect-error no such method
await client.DELETE("/api/tasks");
// @ts-expect-error no such method on a row
await client.POST("/api/tasks/{id}", { params: { path }, body });
// @ts-expect-error a token that is no function
apiClient("", "token");
// @ts-expect-error no body
await client.POST("/api/tasks");
// @ts-expect-error no title
await client.POST("/api/tasks", { body: { description: "more" } });
// @ts-expect-error a title that is a number
await client.POST("/api/tasks", { body: { title: 1 } });
// @ts-expect-error a title that is null
await client.PUT("/api/tasks/{id}", { params: { path }, body: { title: null } });
// @ts-expect-error a field that POST does not take
await client.POST("/api/tasks", { body: { title: "a title", completed: true } satisfies components["schemas"]["TaskInput"] });
// @ts-expect-error a field that nobody may set
await client.PATCH("/api/tasks/{id}", { params: { path }, body: { user_id: "ann" } satisfies components["schemas"]["TaskPatch"] });
// @ts-expect-error a text in the place of a boolean
await client.PATCH("/api/tasks/{id}", { params: { path }, body: { completed: "yes" } });
// @ts-expect-error no id
await client.GET("/api/tasks/{id}");
// @ts-expect-error an id that is a text
await client.GET("/api/tasks/{id}", { params: { path: { id: "1" } } });
// @ts-expect-error no such status
await client.GET("/api/tasks", { params: { query: { status: "done" } } });
// @ts-expect-error an order that the server does not have
await client.GET("/api/tasks", { params: { query: { sort: "description" } } });
// @ts-expect-error no such parameter
await client.GET("/api/tasks", { params: { query: { page: 2 } } });
// @ts-expect-error a limit that is a text
await client.GET("/api/tasks", { params: { query: { limit: "10" } } });
// @ts-expect-error a count that is a number
await client.GET("/api/tasks", { params: { query: { count: 1 } } });
// @ts-expect-error a header of other operations
await client.POST("/api/tasks", { body, params: { header: { "If-Match": "*" } } });
// @ts-expect-error a tag that is a number
await client.DELETE("/api/tasks/{id}", { params: { path, header: { "If-Match": 1 } } });

const { data: task } = await client.GET("/api/tasks/{id}", { params: { path } });
const { data: tasks } = await client.GET("/api/tasks");
const { error } = await client.POST("/api/tasks", { body });
// @ts-expect-error there may be no answer
task.title;
// @ts-expect-error a key that a task does not have
task?.done;
// @ts-expect-error the description may be null
task?.description.length;
// @ts-expect-error an id is a number
task?.id.trim();
// @ts-expect-error a list is an array, without an envelope
tasks?.items;
// @ts-expect-error an error has no message
error?.message;
// @ts-expect-error a detail may be a text
error?.detail.map(({ msg }) => msg);
