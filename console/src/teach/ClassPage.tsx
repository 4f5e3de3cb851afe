import { useCallback, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { figure, percent, say } from "../words";
import { AddReferences } from "./AddReferences";
import { type Change, Changed } from "./Changed";
import { NewRegion } from "./NewRegion";
import { References } from "./References";

/** A class's references: seen, added, withdrawn; and where it looks. */
export function ClassPage({ name }: { name: string }) {
  const { service, reload } = useSession();
  const [change, setChange] = useState<Change | null>(null);
  const path = { class_name: name };
  const { value, failure, again } = useLoaded(
    (signal) => service.ask(service.api.GET("/classes/{class_name}", { params: { path }, signal })),
    [service, name],
  );
  const changed = useCallback(
    (made: Change | null) => {
      setChange(made);
      again();
      reload();
    },
    [again, reload],
  );
  return (
    <>
      <p class="trail">
        <Link href="/teach">{say("teach")}</Link>
      </p>
      <h1 class="name">{name}</h1>
      {failure && <Failure failure={failure} again={again} />}
      {change && <Changed className={name} change={change} onChange={changed} />}
      {value && (
        <>
          <dl class="facts">
            <Fact name={say("references")} value={String(value.references)} />
            <Fact name={say("threshold")} value={figure(value.threshold)} />
            <Fact name={say("inspectedShare")} value={percent(value.inspected_percentage / 100, 3)} />
            <Fact
              name={say("smallestThing")}
              value={
                value.smallest_visible
                  ? `${value.smallest_visible.patch.map(Math.round).join(" × ")} px`
                  : say("notRecorded")
              }
            />
          </dl>
          {Number(value.calibration.stale) > 0 && (
            <p class="note">{say("scoresStale", { count: Number(value.calibration.stale) })}</p>
          )}
          <AddReferences className={name} version={value.version} onChange={changed} />
          <References className={name} version={value.version} total={value.references} onChange={changed} />
          <NewRegion className={name} version={value.version} inspected={value.inspected_percentage} />
        </>
      )}
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
