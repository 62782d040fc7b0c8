// Lists: filtered, searched and ordered by the server, read page by page, and polled.
import { infiniteQueryOptions, keepPreviousData, type InfiniteData, type QueryClient } from "@tanstack/react-query";
import { answer, api, type Task } from "./client.ts";

export type Filter = { status: "all" | "pending" | "completed"; sort: "-created_at" | "-updated_at" | "title"; q: string };
type Page = { rows: Task[]; next?: string; total: number; etag?: string };

// The cursor of the next page, from <?limit=100&cursor=…>; rel="next"
const nextCursor = (link: string | null) => new URLSearchParams(link?.match(/<\?([^>]*)>; rel="next"/)?.[1]).get("cursor") ?? undefined;

export const taskPages = (filter: Filter) =>
  infiniteQueryOptions({
    queryKey: ["tasks", filter],
    queryFn: async ({ client, queryKey, pageParam: cursor, signal }): Promise<Page> => {
      const data = client.getQueryData<InfiniteData<Page>>(queryKey);
      const known = data?.pages[data.pageParams.indexOf(cursor)];
      const { data: rows, etag, response } = await answer(
        api.GET("/api/tasks", {
          params: {
            query: { ...filter, limit: 100, cursor, count: !cursor },
            header: { ...(known?.etag && { "If-None-Match": known.etag }) },
          },
          cache: "no-store", // the tags are kept here
          signal,
        }),
      );
      if (response.status === 304) return known!; // nothing new, and React renders nothing
      return { rows, next: nextCursor(response.headers.get("Link")), total: Number(response.headers.get("X-Total-Count")), etag };
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    refetchInterval: 10_000, // milliseconds
    placeholderData: keepPreviousData,
  });

// A row that is changed between two reads may be on two pages.
export const rowsOf = ({ pages }: InfiniteData<Page>) => [
  ...new Map(pages.flatMap(({ rows }) => rows).map((row) => [row.id, row])).values(),
];

// Shows a task in all lists as it will be, or without it (null). Such a page loses its tag: the next read brings what is true.
export async function showNow(client: QueryClient, id: number, changes: Partial<Task> | null) {
  await client.cancelQueries({ queryKey: ["tasks"] });
  const change = (row: Task) => (row.id !== id ? [row] : changes ? [{ ...row, ...changes }] : []);
  client.setQueriesData<InfiniteData<Page>>({ queryKey: ["tasks"] }, (data) => {
    const pages = data?.pages.map((page) => {
      if (!page.rows.some((row) => row.id === id)) return page;
      return { ...page, rows: page.rows.flatMap(change), etag: undefined };
    });
    return data && pages && { ...data, pages };
  });
}

// Reads the lists again after the last of several changes: an earlier read would show the others undone.
export const readAgain = (client: QueryClient) =>
  client.isMutating({ mutationKey: ["tasks"] }) === 1 ? client.invalidateQueries({ queryKey: ["tasks"] }) : undefined;
