import { useState, type FormEvent } from "react";
import { APIError, explain } from "./client.ts";
import { newDraft, useCreate, type Draft } from "./create.ts";
import { Fields } from "./Fields.tsx";
import { say } from "./say.ts";

const nothing = { title: "", description: null };

export function AddTask({ userID }: { userID: string }) {
  const [input, setInput] = useState(nothing as Draft["input"]);
  const [faults, setFaults] = useState<Record<string, string[]>>({});
  const [refused, setRefused] = useState<Draft>();
  const create = useCreate(userID, (draft, error) => {
    setInput((now) => (now === nothing ? draft.input : now)); // back into the form, unless it is in use
    setRefused(draft);
    setFaults(error instanceof APIError ? error.fields : {});
    say(`${draft.input.title || "The task"} was not added: ${explain(error)}`);
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    create(refused?.input === input ? refused : newDraft(input)); // the same input keeps its key
    setInput(nothing);
    setFaults({});
  }

  return (
    <form className="card add" aria-label="New task" onSubmit={submit}>
      <Fields value={input} onChange={setInput} faults={faults} />
      <button className="main">Add task</button>
    </form>
  );
}
