// A Better Auth server for the tests, on 127.0.0.1, as an app would configure it. Its argument is a JSON object of options
// (betterAuthOptions in betterauth_test.go); the secret comes from BETTER_AUTH_SECRET. On stdout it prints
//
//   listening URL       once it is ready
//   verification TOKEN  for each e-mail verification that it would send
//   aged SECONDS        after a line on stdin with that number, by which it made all signing keys older
//
// and it ends when stdin does.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { bearer, jwt } from "better-auth/plugins";
import { SignJWT } from "jose";
import pg from "pg";

const options = JSON.parse(process.argv[2]);

const server = createServer();
await new Promise((ready) => server.listen(options.port, "127.0.0.1", ready));
const url = `http://127.0.0.1:${server.address().port}`;

const tokens = {
  issuer: options.issuer,
  audience: options.audience,
  definePayload: options.userID && (({ user }) => ({ user_id: user.id })),
};
const keySet = { keyPairConfig: options.algorithm && { alg: options.algorithm }, rotationInterval: 24 * 60 * 60 };

// HS256 is none of the plugin's algorithms: it takes a signer of one's own, and with that publishes no keys. The plugin
// demands an address and an algorithm of keys kept elsewhere, which it then tells OpenID clients alone.
const secret = new TextEncoder().encode(process.env.BETTER_AUTH_SECRET);
const sharedSecret = { keyPairConfig: { alg: "HS256" }, remoteUrl: `${url}/no-keys` };
const sign = (payload) => new SignJWT(payload).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(secret);

const auth = betterAuth({
  baseURL: url + (options.path ?? ""),
  database: options.databaseURL
    ? new pg.Pool({ connectionString: options.databaseURL, max: 2 })
    : memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
  emailAndPassword: { enabled: true },
  emailVerification: { sendVerificationEmail: async ({ token }) => console.log("verification", token) },
  user: { deleteUser: { enabled: true } },
  session: { cookieCache: { enabled: true, strategy: "jwt" } },
  plugins: [
    bearer(),
    options.algorithm === "HS256"
      ? jwt({ jwks: sharedSecret, jwt: { ...tokens, sign } })
      : jwt({ jwks: keySet, jwt: tokens, sessionCookieCache: options.sessionCookieCache }),
  ],
  telemetry: { enabled: false },
  logger: { level: "error" },
});
if (options.databaseURL) {
  await (await getMigrations(auth.options)).runMigrations();
}
server.on("request", toNodeHandler(auth));
console.log("listening", url);

const { adapter } = await auth.$context;
for await (const seconds of createInterface({ input: process.stdin })) {
  for (const { id, expiresAt } of await adapter.findMany({ model: "jwks" })) {
    const update = { expiresAt: new Date(expiresAt.getTime() - 1000 * seconds) };
    await adapter.update({ model: "jwks", where: [{ field: "id", value: id }], update });
  }
  console.log("aged", seconds);
}
process.exit();
