// Creates tasks, each once: however often it is sent, by retries, reloads and when the network is back.
import { useMutation, useMutationState, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { answer, api, type TaskInput } from "./client.ts";
import { mayHelp } from "./retry.ts";

// What the user wants to create. The key is made when they press Add, and stays with the input until it has been created.
export type Draft = { key: string; input: TaskInput };

export const newDraft = (input: TaskInput): Draft => ({ key: crypto.randomUUID(), input });

const mutationKey = ["tasks", "create"];

// userID: what one user has not sent is not sent by another. refused is told of a task that the server did not take.
export function useCreate(userID: string, refused: (draft: Draft, error: Error) => void) {
  const client = useQueryClient();
  const store = `unsent tasks of ${userID}`; // in sessionStorage: it outlives a reload
  const unsent = (): Draft[] => JSON.parse(sessionStorage.getItem(store) ?? "[]");
  const keep = (drafts: Draft[]) => sessionStorage.setItem(store, JSON.stringify(drafts));
  const remove = ({ key }: Draft) => keep(unsent().filter((draft) => draft.key !== key));

  const { mutate } = useMutation({
    mutationKey,
    mutationFn: ({ key, input }: Draft) => {
      const params = { header: { "Idempotency-Key": `"${key}"` } };
      return answer(api.POST("/api/tasks", { params, body: input })); // the same input makes the same bytes
    },
    scope: { id: "create" }, // one after the other, in the user's order
    retry: (_, error) => mayHelp(error), // as long as it takes
    onSuccess: (_, draft) => remove(draft),
    onError: (error: Error & { status?: number }, draft) => {
      if (error.status === 401) return; // kept until the user has signed in again
      remove(draft);
      refused(draft, error);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["tasks"] }), // it is pending until the list has it
  });
  useEffect(() => unsent().forEach((draft) => mutate(draft)), []); // after a reload

  return (draft: Draft) => {
    keep([...unsent(), draft]);
    mutate(draft);
  };
}

export const useUnsent = () =>
  useMutationState({ filters: { mutationKey, status: "pending" }, select: ({ state }) => state.variables as Draft });
