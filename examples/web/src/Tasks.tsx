import { onlineManager, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { AddTask } from "./AddTask.tsx";
import { explain } from "./client.ts";
import { useUnsent } from "./create.ts";
import { rowsOf, taskPages, type Filter } from "./list.ts";
import { say } from "./say.ts";
import { auth } from "./session.ts";
import { TaskRow } from "./TaskRow.tsx";
import { Toolbar } from "./Toolbar.tsx";

const useOnline = () => useSyncExternalStore((changed) => onlineManager.subscribe(changed), () => onlineManager.isOnline());

export function Tasks({ user }: { user: { id: string; name: string } }) {
  const [filter, setFilter] = useState<Filter>({ status: "all", sort: "-created_at", q: "" });
  const { data, error, refetch, isPlaceholderData, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(taskPages(filter));
  const online = useOnline();
  const unsent = useUnsent();
  const more = useRef<HTMLButtonElement>(null);

  // The button for more tasks presses itself when it comes into view.
  useEffect(() => {
    if (!hasNextPage || isFetchingNextPage || !more.current) return;
    const watch = new IntersectionObserver((entries) => entries.at(-1)!.isIntersecting && fetchNextPage(), { rootMargin: "600px" });
    watch.observe(more.current);
    return () => watch.disconnect();
  }, [hasNextPage, isFetchingNextPage, data]);

  async function signOut() {
    const { error } = await auth.signOut().catch((error: Error) => ({ error: { message: explain(error) } }));
    if (error) say(error.message ?? "Signing out has failed. Please try again.");
    else sessionStorage.clear();
  }

  const rows = data && rowsOf(data);
  const total = data?.pages[0].total;
  return (
    <>
      <header>
        <img src="/icon.svg" alt="" width="32" height="32" />
        <h1>Tasks</h1>
        <span className="quiet">{user.name}</span>
        <button className="plain" onClick={signOut}>Sign out</button>
      </header>
      <main>
        {!online && <p role="alert" className="notice">You are offline. New tasks are kept, and sent when the network is back.</p>}
        <AddTask userID={user.id} />
        <Toolbar filter={filter} onChange={setFilter} />
        <h2 id="tasks" tabIndex={-1} aria-live="polite">
          {total === undefined ? "Reading …" : total === 1 ? "1 task" : `${total.toLocaleString("en")} tasks`}
        </h2>
        {error && (
          <p role="alert" className="notice">
            {explain(error)} <button onClick={() => refetch()}>Try again</button>
          </p>
        )}
        <ul aria-labelledby="tasks" aria-busy={isPlaceholderData}>
          {unsent.map(({ key, input }) => (
            <li key={key} className="card task unsent">
              <div>
                <strong>{input.title}</strong>
                <p>{input.description}</p>
              </div>
              <span className="badge">Not sent yet</span>
            </li>
          ))}
          {rows?.map((task) => <TaskRow key={task.id} task={task} />)}
        </ul>
        {rows?.length === 0 && unsent.length === 0 && (
          <p className="empty">{filter.q || filter.status !== "all" ? "No task matches." : "Nothing to do. Add your first task above."}</p>
        )}
        {hasNextPage && (
          <button ref={more} className="plain" disabled={isFetchingNextPage} onClick={() => fetchNextPage()}>
            {isFetchingNextPage ? "Reading more …" : "Show more"}
          </button>
        )}
      </main>
    </>
  );
}
