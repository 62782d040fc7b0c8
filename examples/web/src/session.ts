// Who the user is (a cookie of the issuer tells), and the token that says so to the API.
import { jwtClient } from "better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";

export const auth = createAuthClient({ plugins: [jwtClient()] });

async function newToken() {
  const { data, error } = await auth.token();
  if (data) return data.token;
  if (error.status === 401) auth.$store.notify("$sessionSignal"); // the session is over: useSession finds out
  throw Object.assign(new Error("No token: please sign in again."), { status: error.status });
}

// A promise, so that requests that meet a 401 together get one new token.
let token: Promise<string> | undefined;

export function getToken(refused?: Promise<string>) {
  if (token && token !== refused) return token;
  const asked = (token = newToken());
  asked.catch(() => token === asked && forgetToken());
  return asked;
}

export function forgetToken() {
  token = undefined;
}
