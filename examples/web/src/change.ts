// Changes and deletes a task, and shows it before the server has answered.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, APIError, type Task, type TaskPatch } from "./client.ts";
import { readAgain, showNow } from "./list.ts";

// A version of a task that the user has seen.
export type Seen = { task: Task; etag: string };

// Somebody else has changed the task since.
export class Conflict extends Error {
  constructor(readonly mine: TaskPatch, readonly theirs: Seen) {
    super("This task was changed elsewhere while you were editing it.");
  }
}

export async function readTask(id: number): Promise<Seen> {
  const { data: task, etag } = await answer(api.GET("/api/tasks/{id}", { params: { path: { id } } }));
  return { task, etag };
}

// With what the user has seen the change is made to that version alone. Without, it is made to whatever there is: completed
// is one field, which nobody reads before they change it.
async function patch(id: number, changes: TaskPatch, seen?: Seen): Promise<Task> {
  try {
    const params = { path: { id }, header: { ...(seen && { "If-Match": seen.etag }) } };
    const headers = { "Content-Type": "application/merge-patch+json" };
    return (await answer(api.PATCH("/api/tasks/{id}", { params, headers, body: changes }))).data;
  } catch (error) {
    if (!(error instanceof APIError && error.status === 412)) throw error;
  }
  const theirs = await readTask(id);
  const done = Object.entries(changes).every(([name, value]) => theirs.task[name as keyof Task] === value);
  if (done) return theirs.task; // by this page: the answer to its first try was lost
  throw new Conflict(changes, theirs);
}

export function useChange(id: number) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["tasks"],
    mutationFn: ({ changes, seen }: { changes: TaskPatch; seen?: Seen }) => patch(id, changes, seen),
    onMutate: ({ changes }) => showNow(client, id, changes),
    onSuccess: (task) => showNow(client, id, task),
    onError: (error, { seen }) => showNow(client, id, error instanceof Conflict ? error.theirs.task : { ...seen?.task }),
    onSettled: () => readAgain(client),
  });
}

// refused is told of a failure by an option, because the row that asks is gone by then.
export function useDelete(id: number, refused: (error: Error) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["tasks"],
    mutationFn: () =>
      answer(api.DELETE("/api/tasks/{id}", { params: { path: { id } } })).catch((error) => {
        if (error.status !== 404) throw error; // it is gone: perhaps by an earlier try
      }),
    onMutate: () => showNow(client, id, null),
    onError: refused,
    onSettled: () => readAgain(client),
  });
}
