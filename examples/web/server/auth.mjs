// Better Auth with e-mail and password, and the stock jwt plugin: it signs the tokens and publishes the keys that verify them.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { betterAuth } from "better-auth";
import { jwt } from "better-auth/plugins";
import Database from "better-sqlite3";
import { data, urls } from "./settings.mjs";

// The secret is made at the first start. It signs the session cookies.
function secret() {
  const file = `${data}/secret`;
  try {
    writeFileSync(file, randomBytes(32).toString("base64url"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8");
}

mkdirSync(data, { recursive: true });
export const auth = betterAuth({
  baseURL: urls.page, // the page passes /api/auth on, so that the cookies are its own
  secret: secret(),
  database: new Database(`${data}/auth.db`),
  emailAndPassword: { enabled: true },
  plugins: [jwt()],
  telemetry: { enabled: false },
});
