import { useMemo, useRef } from "preact/hooks";
import { Link, Route, Switch } from "wouter-preact";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { say } from "../words";
import { useCounts } from "./counts";
import "./line.css";
import { usePatience, useUnknown } from "./patience";
import { Settings } from "./Settings";
import { useAwake, useFullScreen, useNow } from "./screen";
import { useShift } from "./shift";
import { shownOf } from "./state";
import { Tile } from "./Tile";
import { useLine } from "./useLine";

/** What a monitor beside the line shows: one class, or all of them. */
export function Line() {
  return (
    <Switch>
      <Route path="/line/:name">{({ name }) => <Wall key={name} only={name} />}</Route>
      <Route>
        <Wall />
      </Route>
    </Switch>
  );
}

function Wall({ only }: { only?: string }) {
  const { classes } = useSession();
  const names = useMemo(() => (only ? [only] : classes.map(({ class_name }) => class_name)), [only, classes]);
  const line = useLine(names);
  const now = useNow();
  const [since, setSince] = useShift();
  const [patience, setPatience] = usePatience();
  const [unknown, setUnknown] = useUnknown();
  const counts = useCounts(since, line.link, line.recent);
  const place = useRef<HTMLDivElement>(null);
  const full = useFullScreen(place);
  const awake = useAwake();
  const failure = line.link.failure ?? line.failure ?? counts.failure;
  const stray = line.newest.get("");
  const newestOf = (name: string) => {
    const own = line.newest.get(name);
    return only && unknown && stray && (!own || stray.id > own.id) ? stray : own;
  };
  return (
    <main class="line">
      <div class="lineset">
        {only ? (
          <p class="trail">
            <Link href="/line">{say("allLines")}</Link>
          </p>
        ) : (
          <h1>{say("line")}</h1>
        )}
        <Settings
          since={since}
          onSince={setSince}
          patience={patience}
          onPatience={setPatience}
          unknown={only ? unknown : null}
          onUnknown={setUnknown}
        />
        <span class="space" />
        {full && (
          <button type="button" class="button" onClick={full.change}>
            {say("fullScreen")}
          </button>
        )}
      </div>
      {!awake && <p class="soft">{say("screenSleeps")}</p>}
      {failure && failure.status !== 0 && <Failure failure={failure} />}
      {only && !classes.some(({ class_name }) => class_name === only) && (
        <p class="note">{say("notJudgedHere", { name: only })}</p>
      )}
      {names.length === 0 && (
        <div class="nothing">
          <p>{say("noClasses")}</p>
          <Link href="/teach" class="button">
            {say("teachOne")}
          </Link>
        </div>
      )}
      <div ref={place} class={only ? "wall one" : "wall"} style={shapeOf(names.length)}>
        {names.map((name) => {
          const newest = newestOf(name);
          const tile = (
            <Tile
              name={name}
              shown={shownOf(newest, line.link, patience, now)}
              newest={newest}
              reject={line.rejects.get(name)}
              tally={counts.of(name)}
              unknown={only && unknown ? counts.of("").unknown : null}
              since={since}
              small={!only}
            />
          );
          return only ? (
            tile
          ) : (
            <Link key={name} href={`/line/${name}`} class="tilelink">
              {tile}
            </Link>
          );
        })}
      </div>
    </main>
  );
}

/** Columns and rows of so many tiles: up to three side by side, more in a square. */
function shapeOf(tiles: number) {
  const columns = tiles > 3 ? Math.ceil(Math.sqrt(tiles)) : Math.max(1, tiles);
  return { "--columns": columns, "--rows": Math.max(1, Math.ceil(tiles / columns)) };
}
