import { useEffect, useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { say } from "../words";
import { Charts } from "./Charts";
import { ClassTable } from "./ClassTable";
import { HealthPanel } from "./HealthPanel";
import { Links } from "./Links";
import { RANGES, type Range } from "./numbers";
import "./overview.css";

const EVERY = 30_000;

/** How the service is, and what it judged, over time. */
export function Overview() {
  const { service } = useSession();
  const [name, setName] = useState<Range["name"]>("day");
  const range = RANGES.find((one) => one.name === name) as Range;
  const { hours, bucket } = range;
  const { value, failure, again } = useLoaded(
    (signal) => service.ask(service.api.GET("/overview", { params: { query: { hours, bucket } }, signal })),
    [service, hours, bucket],
  );
  const off = failure?.code === "history_off";
  useEffect(() => {
    if (off) return;
    const timer = setInterval(again, EVERY);
    return () => clearInterval(timer);
  }, [again, off]);
  const shown = value?.bucket_minutes === bucket ? value : undefined;
  return (
    <main class="overview">
      <div class="overviewhead">
        <h1>{say("overview")}</h1>
        <Links />
      </div>
      <HealthPanel />
      <fieldset class="range">
        <legend class="hiddenlegend">{say("range")}</legend>
        {RANGES.map((one) => (
          <label key={one.name}>
            <input type="radio" name="range" checked={one.name === name} onChange={() => setName(one.name)} />
            <span>{say(`range_${one.name}`)}</span>
          </label>
        ))}
      </fieldset>
      {off ? (
        <p class="note">{say("historyOffSays")}</p>
      ) : (
        failure && <Failure failure={failure} again={again} />
      )}
      {!shown && !failure && <p aria-busy="true">{say("loading")}</p>}
      {shown && shown.classes.length === 0 && (
        <div class="nothing">
          <p>{say("nothingJudged")}</p>
        </div>
      )}
      {shown && shown.classes.length > 0 && (
        <>
          <ClassTable overview={shown} />
          <Charts overview={shown} />
        </>
      )}
    </main>
  );
}
