import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { Link, Route, Router, Switch, useLocation } from "wouter-preact";
import { useHashLocation } from "wouter-preact/use-hash-location";
import { type ClassSummary, key, Refused, Service } from "../api/service";
import { SessionContext } from "../api/session";
import icon from "../icon.svg";
import { Queue } from "../inspect/queue";
import { Failure } from "../parts/Failure";
import { focusMain } from "../parts/focus";
import { say } from "../words";
import { SignIn } from "./SignIn";
import "./shell.css";
import { switchTheme } from "./theme";
import { VIEWS } from "./views";

/** The page around the views: navigation, sign-in, and what is wrong with the service. */
export function Shell() {
  const [classes, setClasses] = useState<readonly ClassSummary[] | null>(null);
  const [failure, setFailure] = useState<Refused | null>(null);
  const [asksKey, setAsksKey] = useState(false);
  const service = useMemo(() => new Service(() => setAsksKey(true)), []);
  const queue = useMemo(() => new Queue(service), [service]);
  const reload = useCallback(async () => {
    try {
      setClasses((await service.ask(service.api.GET("/classes"))).classes);
      setAsksKey(false);
      setFailure(null);
      queue.resume();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setFailure(error.code === "key_required" ? null : error);
      if (error.status === 0 || error.status === 503) setTimeout(reload, 1000 * error.retryAfter);
    }
  }, [service, queue]);
  useEffect(() => void reload(), [reload]);
  const session = useMemo(
    () => classes && { service, queue, classes, reload: () => void reload() },
    [service, queue, classes, reload],
  );
  return (
    <Router hook={useHashLocation}>
      <Head signedIn={key.get() !== "" && !asksKey} />
      {failure && <Failure failure={failure} />}
      {asksKey && <SignIn onDone={reload} />}
      {session && (
        <SessionContext.Provider value={session}>
          <div hidden={asksKey}>
            <Switch>
              {VIEWS.map(({ path, pages, view: View }) => (
                <Route key={path} path={pages ?? `${path}/*?`}>
                  <View />
                </Route>
              ))}
              <Route>
                <p class="note">{say("notHere")}</p>
              </Route>
            </Switch>
          </div>
        </SessionContext.Provider>
      )}
    </Router>
  );
}

function Head({ signedIn }: { signedIn: boolean }) {
  const [path] = useLocation();
  const current = (of: string, pages?: RegExp) =>
    pages ? pages.test(path) : path === of || path.startsWith(`${of}/`);
  const signOut = () => {
    key.clear();
    location.reload();
  };
  return (
    <header class="top">
      <button type="button" class="button skip" onClick={focusMain}>
        {say("skip")}
      </button>
      <strong class="brand">
        <img src={icon} alt="" width={28} height={28} />
        <span>Patchbank</span>
      </strong>
      <nav aria-label={say("views")}>
        {VIEWS.map(({ path: to, pages, title }) => (
          <Link key={to} href={to} aria-current={current(to, pages) ? "page" : undefined}>
            {say(title)}
          </Link>
        ))}
      </nav>
      <span class="space" />
      <button
        type="button"
        class="button plain"
        title={say("theme")}
        aria-label={say("theme")}
        onClick={switchTheme}
      >
        ◐
      </button>
      {signedIn && (
        <button type="button" class="button plain" onClick={signOut}>
          {say("signOut")}
        </button>
      )}
    </header>
  );
}
