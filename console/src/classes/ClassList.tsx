import { useCallback, useEffect } from "preact/hooks";
import { Link } from "wouter-preact";
import { useLoaded } from "../api/loaded";
import type { ClassSummary, Schema } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Mark } from "../parts/Mark";
import { Fault } from "../parts/Notice";
import { Stored } from "../parts/Stored";
import { figure, moment, say, size } from "../words";
import { DriftMark } from "./Drift";

/** All classes; those that cannot be judged first. */
export function ClassList() {
  const { service } = useSession();
  const load = useCallback(
    (signal: AbortSignal) => service.ask(service.api.GET("/classes", { signal })),
    [service],
  );
  const listed = useLoaded(load, [service]);
  const drifts = useDrifts();
  const health = useLoaded((signal) => service.ask(service.api.GET("/health", { signal })), [service]);
  useEffect(() => {
    const timer = setInterval(() => {
      listed.again();
      health.again();
    }, 15_000);
    return () => clearInterval(timer);
  }, [listed.again, health.again]);
  const { value } = listed;
  const damages = health.value?.damaged ?? {}; // found since it was opened, which the list does not know
  const damaged = [...new Set([...(value?.damaged ?? []), ...Object.keys(damages)])].sort();
  const sound = (value?.classes ?? [])
    .filter(({ class_name }) => !damaged.includes(class_name))
    .sort((one, other) => Number(one.usable) - Number(other.usable));
  return (
    <main class="classes">
      <h1>{say("classesView")}</h1>
      {listed.failure && <Failure failure={listed.failure} again={listed.again} />}
      {!value && !listed.failure && <p aria-busy="true">{say("loading")}</p>}
      {value && value.classes.length + value.damaged.length === 0 && (
        <div class="nothing">
          <p>{say("noClasses")}</p>
          <Link href="/teach" class="button">
            {say("teachOne")}
          </Link>
        </div>
      )}
      <ul class="classcards">
        {damaged.map((name) => (
          <Damaged key={name} name={name} why={damages[name]} />
        ))}
        {sound.map((entry) => (
          <Card key={entry.class_name} entry={entry} drift={drifts.get(entry.class_name)} />
        ))}
      </ul>
    </main>
  );
}

function Damaged({ name, why }: { name: string; why: { code: string; reason: string } | undefined }) {
  return (
    <li class="card broken">
      <div>
        <h2>
          <Link href={`/classes/${name}`}>{name}</Link>
        </h2>
        <Mark tone="bad">{say("classDamaged")}</Mark>
        <p>{say("damagedSays")}</p>
        {why && (
          <p class="name soft">
            <Fault code={why.code} message={why.reason} />
          </p>
        )}
      </div>
    </li>
  );
}

type State = Schema["ClassDrift"]["state"];

/** The classes whose recent pictures seem to change; none where that cannot be told. */
function useDrifts(): ReadonlyMap<string, State> {
  const { service } = useSession();
  const { value } = useLoaded(
    async (signal) => {
      const { history } = await service.ask(service.api.GET("/health", { signal }));
      return history === "on" ? service.ask(service.api.GET("/drift", { signal })) : undefined;
    },
    [service],
  );
  const seen = value?.classes.filter(({ state }) => state === "watch" || state === "drifting") ?? [];
  return new Map(seen.map(({ class_name, state }) => [class_name, state]));
}

function Card({ entry, drift }: { entry: ClassSummary; drift: State | undefined }) {
  const { class_name: name } = entry;
  return (
    <li class={`card ${entry.usable ? "" : "broken"}`}>
      <FirstReference name={name} />
      <div>
        <h2>
          <Link href={`/classes/${name}`}>{name}</Link>
        </h2>
        <Usable entry={entry} /> {drift && <DriftMark state={drift} />}
        <p class="soft">
          {say("classSize", {
            references: figure(entry.references, 9),
            patches: figure(entry.patches, 9),
            size: size(entry.vector_bytes),
          })}
        </p>
        <p class="soft">
          {say("classSince", { threshold: figure(entry.threshold, 3), time: moment(entry.created_at) })}
        </p>
      </div>
    </li>
  );
}

/** Whether this service judges with the class, and if not, why. */
export function Usable({ entry }: { entry: ClassSummary }) {
  if (entry.usable) return <Mark tone="good">{say("classInUse")}</Mark>;
  return (
    <>
      <Mark tone="bad">{say("classRefused")}</Mark>
      {entry.refusal && <p class="name">{entry.refusal}</p>}
    </>
  );
}

function FirstReference({ name }: { name: string }) {
  const { service } = useSession();
  const { value } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/references", {
          params: { path: { class_name: name }, query: { limit: 1 } },
          signal,
        }),
      ),
    [service, name],
  );
  const first = value?.references[0];
  if (!first) return <span class="facepicture missing" aria-busy={!value} />;
  return (
    <Stored path={`/classes/${name}/references/${first.image_id}/thumbnail`} alt="" name="facepicture" />
  );
}
