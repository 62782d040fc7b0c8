import { useState, type FormEvent } from "react";
import { auth } from "./session.ts";

export function SignIn() {
  const [isNew, setIsNew] = useState(false);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const { name, email, password } = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    setBusy(true);
    const asked = isNew ? auth.signUp.email({ name, email, password }) : auth.signIn.email({ email, password });
    const { error } = await asked.catch(() => ({ error: { message: "The sign-in server cannot be reached." } }));
    setBusy(false);
    setFault(error ? (error.message ?? "That did not work. Please try again.") : "");
  }

  return (
    <main className="sign-in">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <h1>{isNew ? "Create your account" : "Welcome back"}</h1>
      <p className="quiet">{isNew ? "Your tasks are yours alone." : "Sign in to see your tasks."}</p>
      <form className="card" onSubmit={submit}>
        {isNew && (
          <label>
            Name
            <input name="name" autoComplete="name" required />
          </label>
        )}
        <label>
          E-mail
          <input name="email" type="email" autoComplete="email" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete={isNew ? "new-password" : "current-password"} required />
        </label>
        {fault && <p role="alert" className="fault">{fault}</p>}
        <button className="main" disabled={busy}>{isNew ? "Create account" : "Sign in"}</button>
      </form>
      <button className="plain" onClick={() => (setIsNew(!isNew), setFault(""))}>
        {isNew ? "I have an account already" : "I am new here"}
      </button>
    </main>
  );
}
