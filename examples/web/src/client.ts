// Calls the API, with types made from its OpenAPI document.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";
import { getToken } from "./session.ts";

export type Task = components["schemas"]["Task"];
export type TaskInput = components["schemas"]["TaskInput"];
export type TaskPatch = components["schemas"]["TaskPatch"];

async function send(request: Request) {
  const attempt = async (token: Promise<string>) => {
    const copy = request.clone(); // a body can be read once
    copy.headers.set("Authorization", `Bearer ${await token}`);
    return fetch(copy);
  };
  const token = getToken();
  const response = await attempt(token);
  return response.status === 401 ? attempt(getToken(token)) : response; // tokens live for minutes
}

export const api = createClient<paths>({ baseUrl: import.meta.env.VITE_API_URL, fetch: send });

export class APIError extends Error {
  readonly status: number;
  readonly retryAfter?: number; // seconds
  readonly fields: Record<string, string[]> = {}; // of a 422: messages by field

  constructor({ status, headers, statusText }: Response, body: unknown) {
    const detail = (body as { detail?: unknown })?.detail ?? statusText; // a proxy's answer has none
    super(typeof detail === "string" ? `${detail} (request ${headers.get("X-Request-ID")})` : "Some values are not valid.");
    this.status = status;
    this.retryAfter = Number(headers.get("Retry-After")) || undefined;
    for (const { loc, msg } of Array.isArray(detail) ? detail : []) (this.fields[loc.slice(1).join(".")] ??= []).push(msg);
  }
}

// Waits for an answer, which is a success or a 304. Anything else is thrown.
export async function answer<T>(pending: Promise<{ data?: T; error?: unknown; response: Response }>) {
  const { data, error, response } = await pending;
  if (!response.ok && response.status !== 304) throw new APIError(response, error);
  return { data: data as T, etag: response.headers.get("ETag") ?? "", response };
}

export const explain = (error: Error) => (error instanceof TypeError ? "The server cannot be reached." : error.message);
