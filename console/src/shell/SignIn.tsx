import { useState } from "preact/hooks";
import { key } from "../api/service";
import { say } from "../words";

/** Asks for the API key. */
export function SignIn({ onDone }: { onDone: () => void }) {
  const [typed, setTyped] = useState("");
  const enter = (event: Event) => {
    event.preventDefault();
    key.set(typed.trim());
    onDone();
  };
  return (
    <form class="signin" onSubmit={enter}>
      <h2>{say("keyNeeded")}</h2>
      <label>
        {say("key")}
        <input
          type="password"
          required
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <p>{say("keyKept")}</p>
      <button type="submit" class="button">
        {say("signIn")}
      </button>
    </form>
  );
}
