import { useState, type FormEvent } from "react";
import { Conflict, useChange, type Seen } from "./change.ts";
import { APIError, explain, type Task, type TaskInput, type TaskPatch } from "./client.ts";
import { Fields } from "./Fields.tsx";

type Props = { shown: Task; seen: Seen; onClose: (message: string) => void };

export function EditTask({ shown, seen, onClose }: Props) {
  const [input, setInput] = useState<TaskInput>({ title: seen.task.title, description: seen.task.description });
  const change = useChange(shown.id);
  const { error, isPending } = change;
  const onSuccess = () => onClose(`Saved “${input.title}”.`);
  const save = (changes: TaskPatch, to: Seen) => change.mutate({ changes, seen: to }, { onSuccess });
  const cancel = () => onClose("Nothing was changed.");

  function submit(event: FormEvent) {
    event.preventDefault();
    const changes: TaskPatch = {}; // no more than what the user changed
    if (input.title !== seen.task.title) changes.title = input.title;
    if (input.description !== seen.task.description) changes.description = input.description;
    if (Object.keys(changes).length === 0) cancel();
    else save(changes, seen);
  }

  if (error instanceof Conflict) {
    const { mine, theirs } = error;
    return <Choice conflict={error} onMine={() => save(mine, theirs)} onTheirs={() => onClose("Kept the other version.")} />;
  }
  return (
    <li className="card task">
      {isPending && <strong>{shown.title}</strong>}
      <form
        hidden={isPending}
        aria-label={`Edit ${seen.task.title}`}
        onSubmit={submit}
        onKeyDown={(e) => e.key === "Escape" && cancel()}
      >
        <Fields autoFocus value={input} onChange={setInput} faults={error instanceof APIError ? error.fields : {}} />
        {error && <p role="alert" className="fault">{explain(error)}</p>}
        <div className="buttons">
          <button className="main">Save</button>
          <button type="button" onClick={cancel}>Cancel</button>
        </div>
      </form>
    </li>
  );
}

// What was changed here and elsewhere, side by side.
function Choice({ conflict, onMine, onTheirs }: { conflict: Conflict; onMine: () => void; onTheirs: () => void }) {
  const { mine, theirs } = conflict;
  const version = (task: Task) => (
    <>
      <strong>{task.title}</strong>
      <p>{task.description}</p>
    </>
  );
  return (
    <li className="card conflict">
      <h3 role="alert">{conflict.message}</h3>
      <p>Nothing is lost: which version do you want to keep?</p>
      <div className="versions">
        <section aria-label="Your version">
          <h4>Yours</h4>
          {version({ ...theirs.task, ...mine })}
          <button className="main" autoFocus onClick={onMine}>Keep mine</button>
        </section>
        <section aria-label="The other version">
          <h4>The other one</h4>
          {version(theirs.task)}
          <button onClick={onTheirs}>Take theirs</button>
        </section>
      </div>
    </li>
  );
}
