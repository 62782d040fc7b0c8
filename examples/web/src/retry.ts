// When to send a request again. Everything that this app sends may be repeated: a create has its key.
import { QueryClient } from "@tanstack/react-query";
import { APIError } from "./client.ts";

export const mayHelp = (error: Error) =>
  error instanceof TypeError || (error instanceof APIError && [429, 502, 503, 504].includes(error.status)); // TypeError: no answer

// Milliseconds: what the server says, else 1, 2, 4 … seconds, and up to half as much again, so that clients spread.
const retryDelay = (failures: number, error: Error) =>
  1000 * ((error instanceof APIError && error.retryAfter) || Math.min(2 ** failures, 30)) * (1 + Math.random() / 2);

const retry = (failures: number, error: Error) => failures < 5 && mayHelp(error);

export const newQueryClient = () =>
  new QueryClient({ defaultOptions: { queries: { retry, retryDelay }, mutations: { retry, retryDelay } } });
