import { useCallback, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Mark } from "../parts/Mark";
import { Tabs } from "../parts/Tabs";
import { moment, say } from "../words";
import { Audits } from "./Audits";
import { Usable } from "./ClassList";
import { Defects } from "./Defects";
import { Drift } from "./Drift";
import { GoBack } from "./GoBack";
import { References } from "./References";
import { Shadow } from "./Shadow";
import { Thresholds } from "./Thresholds";
import { Versions } from "./Versions";

export type ClassDetail = Schema["ClassDetail"];

/** What changed which version serves, so that it can be taken back. */
export interface Served {
  readonly before: string;
  readonly active: string;
}

/** One class: what it is made of, what it decides by, what it was. */
export function ClassPage({ name }: { name: string }) {
  const { service, reload } = useSession();
  const [served, setServed] = useState<Served>();
  const loaded = useLoaded(
    (signal) => {
      const asked = service.api.GET("/classes/{class_name}", {
        params: { path: { class_name: name } },
        signal,
      });
      return service.ask(asked) as Promise<ClassDetail>; // the client's types forget how many numbers a pair has
    },
    [service, name],
  );
  const { value: detail, failure, again } = loaded;
  const changed = useCallback(
    (change?: Served) => {
      setServed(change);
      again();
      reload();
    },
    [again, reload],
  );
  const damaged = failure?.code === "damaged_bank" || failure?.code === "newer_layout";
  const shown = damaged ? undefined : detail; // what was seen stays where the service is only away
  if (failure?.status === 404) return <Gone failure={failure} />;
  return (
    <main class="classes">
      <p class="trail">
        <Link href="/classes">{say("classesView")}</Link>
      </p>
      <div class="classhead">
        <div>
          <h1>{name}</h1>
          {shown && <Usable entry={shown} />}
          {damaged && <Mark tone="bad">{say("classDamaged")}</Mark>}
          {shown && (
            <span class="soft">
              {say("servesSince", { version: shown.version, time: moment(shown.created_at) })}
            </span>
          )}
        </div>
        <nav class="actions" aria-label={name}>
          <Link href={`/line/${name}`} class="button plain">
            {say("watchLine")}
          </Link>
          <Link href={`/teach/class/${name}`} class="button plain">
            {say("changeReferences")}
          </Link>
        </nav>
      </div>
      {failure && <Failure failure={failure} again={again} />}
      {damaged && <p class="note">{say("damagedWayOut")}</p>}
      {served && <GoBack name={name} served={served} onDone={changed} />}
      {!shown && !failure && <p aria-busy="true">{say("loading")}</p>}
      {(shown || damaged) && (
        <Tabs
          key={damaged ? "damaged" : "sound"}
          label={name}
          tabs={[
            ...(shown
              ? [{ name: "thresholds", title: say("thresholdsTab"), content: <Thresholds detail={shown} /> }]
              : []),
            {
              name: "versions",
              title: say("versionsTab"),
              content: <Versions name={name} serving={shown?.version} onServed={changed} />,
            },
            ...(shown
              ? [
                  {
                    name: "shadow",
                    title: say("shadowTab"),
                    content: <Shadow detail={shown} onServed={changed} />,
                  },
                  {
                    name: "references",
                    title: say("referencesTab"),
                    content: <References name={name} version={shown.version} />,
                  },
                  {
                    name: "defects",
                    title: say("defectsTab"),
                    content: <Defects detail={shown} onServed={changed} />,
                  },
                  { name: "drift", title: say("driftTab"), content: <Drift name={name} /> },
                  {
                    name: "audit",
                    title: say("auditTab"),
                    content: <Audits name={name} version={shown.version} />,
                  },
                ]
              : []),
          ]}
        />
      )}
    </main>
  );
}

function Gone({ failure }: { failure: Parameters<typeof Failure>[0]["failure"] }) {
  return (
    <main class="classes">
      <p class="trail">
        <Link href="/classes">{say("classesView")}</Link>
      </p>
      <Failure failure={failure} />
    </main>
  );
}
