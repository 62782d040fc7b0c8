import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { newQueryClient } from "./retry.ts";
import { auth, forgetToken } from "./session.ts";
import { SignIn } from "./SignIn.tsx";
import { Tasks } from "./Tasks.tsx";
import "./styles.css";

// All that is kept of a user goes with them: the token and what was read.
function User({ user }: { user: { id: string; name: string } }) {
  const [client] = useState(newQueryClient);
  useEffect(() => () => (forgetToken(), client.clear()), []);
  return (
    <QueryClientProvider client={client}>
      <Tasks user={user} />
    </QueryClientProvider>
  );
}

function App() {
  const { data, isPending } = auth.useSession();
  if (data) return <User key={data.user.id} user={data.user} />;
  return isPending ? <main aria-busy="true" /> : <SignIn />;
}

createRoot(document.getElementById("root")!).render(<App />);
