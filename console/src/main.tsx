import { render } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { Inspect } from "./Inspect";
import { SignIn } from "./SignIn";
import { type ClassSummary, classes, key, Refused } from "./service";
import "./page.css";
import { language, say } from "./words";

function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function Page() {
  const [taught, setTaught] = useState<ClassSummary[] | null>(null);
  const [trouble, setTrouble] = useState("");
  const [asksKey, setAsksKey] = useState(false);
  const load = useCallback(async () => {
    try {
      setTaught(await classes());
      setAsksKey(false);
      setTrouble("");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401) setAsksKey(true);
      setTrouble(error.code === "key_required" ? "" : error.message || say("unreachable"));
      if (error.status === 0 || error.status === 503) setTimeout(load, 1000 * error.retryAfter);
    }
  }, []);
  useEffect(() => void load(), [load]);
  const askKey = useCallback(() => setAsksKey(true), []);
  const signOut = () => {
    key.clear();
    location.reload();
  };
  return (
    <>
      <header>
        <strong>Patchbank</strong>
        <span class="space" />
        <button type="button" class="button plain" onClick={switchTheme}>
          {say("theme")}
        </button>
        {key.get() && (
          <button type="button" class="button plain" onClick={signOut}>
            {say("signOut")}
          </button>
        )}
      </header>
      {trouble && (
        <p class="note" role="alert">
          {trouble}
        </p>
      )}
      {asksKey && <SignIn onDone={load} />}
      {taught && !asksKey && <Inspect classes={taught} onKeyAsked={askKey} />}
    </>
  );
}

document.documentElement.lang = language;
const place = document.getElementById("page");
if (place) render(<Page />, place);
