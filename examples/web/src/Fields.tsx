import { useId } from "react";
import type { TaskInput } from "./client.ts";

const fields = {
  title: { Tag: "input", label: "Title", placeholder: "What is there to do?" },
  description: { Tag: "textarea", label: "Description", placeholder: "Details, if there are any" },
} as const;

type Props = { value: TaskInput; onChange: (value: TaskInput) => void; faults: Record<string, string[]>; autoFocus?: boolean };

// The fields of a task. What they may hold is the server's business: its 422 names the faults by field.
export function Fields({ value, onChange, faults, autoFocus }: Props) {
  const id = useId();
  return Object.entries(fields).map(([name, { Tag, label, placeholder }]) => (
    <div key={name}>
      <label htmlFor={id + name}>{label}</label>
      <Tag
        id={id + name}
        placeholder={placeholder}
        autoComplete="off"
        autoFocus={autoFocus && name === "title"}
        aria-invalid={name in faults}
        aria-describedby={name in faults ? `${id}${name}-fault` : undefined}
        value={value[name as keyof TaskInput] ?? ""}
        onChange={(e) => onChange({ ...value, [name]: e.target.value || (name === "title" ? "" : null) })}
      />
      {name in faults && <p id={`${id}${name}-fault`} className="fault">{faults[name].join(". ")}</p>}
    </div>
  ));
}
