import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Link } from "wouter-preact";
import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Mark, type Tone } from "../parts/Mark";
import { Fault } from "../parts/Notice";
import { duration, figure, say, size } from "../words";

const EVERY = 15_000;
/** Less room than that on the disk is worth a word: a class of a hundred references takes about 130 MB. */
const LITTLE_ROOM = 2e9;

interface Trouble {
  readonly tone: Tone;
  readonly text: string;
  readonly told?: ComponentChildren;
  readonly name?: string;
}

/** How the service is, in plain words: what is wrong first. */
export function HealthPanel() {
  const { service } = useSession();
  const { value, failure, again } = useLoaded(
    (signal) => service.ask(service.api.GET("/health", { signal })),
    [service],
  );
  const kept = value?.history === "on";
  const drift = useLoaded(
    async (signal) => (kept ? service.ask(service.api.GET("/drift", { signal })) : undefined),
    [service, kept],
  );
  useEffect(() => {
    const timer = setInterval(() => {
      again();
      drift.again();
    }, EVERY);
    return () => clearInterval(timer);
  }, [again, drift.again]);
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  const troubles = [...troublesOf(value), ...driftsOf(drift.value)];
  return (
    <section class="sheet health">
      <h2>{say("healthTitle")}</h2>
      {troubles.length === 0 && <Mark tone="good">{say("allWell")}</Mark>}
      <ul>
        {troubles.map(({ tone, text, told, name }) => (
          <li key={text}>
            <Mark tone={tone}>{text}</Mark>{" "}
            {name && <Link href={`/classes/${name}`}>{say("openClass")}</Link>}
            {told && <p class="soft name">{told}</p>}
          </li>
        ))}
      </ul>
      <p class="soft">{say("healthFacts", factsOf(value))}</p>
    </section>
  );
}

function factsOf(health: Schema["Health"]) {
  return {
    classes: health.classes === null ? "–" : figure(health.classes, 9),
    backbone: health.backbone,
    version: health.version,
    free: health.free_bytes === null ? "–" : size(health.free_bytes),
  };
}

function troublesOf(health: Schema["Health"]): Trouble[] {
  const troubles: Trouble[] = [];
  if (health.classes === null) troubles.push({ tone: "bad", text: say("storeAway") });
  for (const [name, { code, reason }] of Object.entries(health.damaged)) {
    troubles.push({
      tone: "bad",
      text: say("classIsDamaged", { name }),
      told: <Fault code={code} message={reason} />,
      name,
    });
  }
  for (const [name, why] of Object.entries(health.refused)) {
    troubles.push({ tone: "bad", text: say("classIsRefused", { name }), told: why, name });
  }
  for (const { node, answers, away_for_s: away } of health.store_nodes) {
    if (!answers) troubles.push({ tone: "bad", text: say("nodeAway", { node, time: duration(away ?? 0) }) });
  }
  if (!health.writable) troubles.push({ tone: "bad", text: say("notWritable") });
  if (health.history === "away") troubles.push({ tone: "bad", text: say("historyAway") });
  if (health.history === "off") troubles.push({ tone: "quiet", text: say("historyOff") });
  if (health.free_bytes !== null && health.free_bytes < LITTLE_ROOM) {
    troubles.push({ tone: "watch", text: say("littleRoom", { free: size(health.free_bytes) }) });
  }
  return troubles;
}

function driftsOf(drift: Schema["DriftList"] | undefined): Trouble[] {
  return (drift?.classes ?? []).flatMap(({ class_name: name, state }): Trouble[] => {
    if (state === "drifting") return [{ tone: "bad", text: say("classDrifts", { name }), name }];
    if (state === "watch") return [{ tone: "watch", text: say("classToWatch", { name }), name }];
    return [];
  });
}
