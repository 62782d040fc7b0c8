// A front end that signs up with Better Auth and keeps a task in the API. Its arguments are the origins of both.
import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";

const [authOrigin, apiOrigin] = process.argv.slice(2);

// What a browser does by itself: it keeps cookies, and names the origin of the page.
const cookies = new Map();
async function browserFetch(address, init) {
  const request = new Request(address, init);
  request.headers.set("Cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
  request.headers.set("Origin", authOrigin);
  const answer = await fetch(request);
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
    cookies.set(name, value);
  }
  return answer;
}

const authClient = createAuthClient({
  baseURL: authOrigin,
  plugins: [jwtClient()],
  fetchOptions: { customFetchImpl: browserFetch },
});

let token;

async function newToken() {
  const { data, error } = await authClient.token();
  if (error) throw new Error(`no token: ${error.status}`); // 401: signed out
  return data.token;
}

async function api(path, init = {}) {
  const send = () => fetch(apiOrigin + path, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } });
  token ??= await newToken();
  const answer = await send();
  if (answer.status !== 401) return answer;
  token = await newToken(); // the other has expired
  return send();
}

await authClient.signUp.email({ name: "Ann", email: "ann@example.com", password: "correct horse" });
const created = await api("/api/tasks", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ title: "Buy groceries" }),
});
token = "one that has expired";
const listed = await api("/api/tasks");
const { data: session } = await authClient.getSession();
console.log(JSON.stringify({ user: session.user.id, created: await created.json(), listed: await listed.json() }));
