import { memo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { readTask, useChange, useDelete, type Seen } from "./change.ts";
import { explain, type Task } from "./client.ts";
import { EditTask } from "./EditTask.tsx";
import { say } from "./say.ts";

// memo: a further page, or a poll, renders no row that is as it was.
export const TaskRow = memo(function TaskRow({ task }: { task: Task }) {
  const { id, title, description, completed, created_at } = task;
  const [seen, setSeen] = useState<Seen>(); // while the user edits it
  const onError = (error: Error) => say(`“${title}”: ${explain(error)}`);
  const complete = useChange(id);
  const remove = useDelete(id, onError);
  const edit = useRef<HTMLButtonElement>(null);

  function close(message: string) {
    flushSync(() => setSeen(undefined));
    edit.current?.focus();
    say(message);
  }

  function onDelete() {
    if (!confirm(`Delete “${title}”?`)) return;
    document.getElementById("tasks")!.focus(); // this row is gone at once
    remove.mutate();
    say(`Deleted “${title}”.`);
  }

  function onComplete() {
    complete.mutate({ changes: { completed: !completed } }, { onError });
    say(completed ? `“${title}” is to do again.` : `“${title}” is done.`);
  }

  if (seen) return <EditTask shown={task} seen={seen} onClose={close} />;
  return (
    <li className="card task">
      <input type="checkbox" aria-label={`Done: ${title}`} checked={completed} onChange={onComplete} />
      <div>
        <strong>{title}</strong>
        <p>{description}</p>
        <time dateTime={created_at}>{new Date(created_at).toLocaleDateString(undefined, { dateStyle: "medium" })}</time>
      </div>
      <button ref={edit} aria-label={`Edit ${title}`} onClick={() => readTask(id).then(setSeen, onError)}>Edit</button>
      <button aria-label={`Delete ${title}`} onClick={onDelete}>Delete</button>
    </li>
  );
});
