import { useEffect, useState } from "react";
import type { Filter } from "./list.ts";

const statuses = { all: "All", pending: "To do", completed: "Done" };
const orders = { "-created_at": "Newest first", "-updated_at": "Last changed first", title: "By title" };

export function Toolbar({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const [q, setQ] = useState(filter.q);
  useEffect(() => {
    const timer = setTimeout(() => q !== filter.q && onChange({ ...filter, q }), 300); // when the user pauses
    return () => clearTimeout(timer);
  }, [q, filter]);

  return (
    <search className="toolbar">
      <fieldset className="choice">
        <legend className="hidden">Show</legend>
        {Object.entries(statuses).map(([status, name]) => (
          <label key={status}>
            <input
              type="radio"
              name="status"
              checked={filter.status === status}
              onChange={() => onChange({ ...filter, status: status as Filter["status"] })}
            />
            {name}
          </label>
        ))}
      </fieldset>
      <input type="search" aria-label="Search" placeholder="Search" maxLength={200} value={q} onChange={(e) => setQ(e.target.value)} />
      <select aria-label="Order" value={filter.sort} onChange={(e) => onChange({ ...filter, sort: e.target.value as Filter["sort"] })}>
        {Object.entries(orders).map(([sort, name]) => <option key={sort} value={sort}>{name}</option>)}
      </select>
    </search>
  );
}
