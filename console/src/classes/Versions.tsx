import { useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Mark } from "../parts/Mark";
import { Fault } from "../parts/Notice";
import { figure, moment, say, type Word } from "../words";
import type { Served } from "./ClassPage";
import { Diff } from "./Diff";
import { type VersionRow, versionRows } from "./documents";
import { Serve } from "./GoBack";

interface Given {
  name: string;
  serving: string | undefined;
  onServed: (served: Served) => void;
}

const REASONS: Record<string, Word> = {
  taught: "reasonTaught",
  extended: "reasonExtended",
  accepted: "reasonAccepted",
  withdrawn: "reasonWithdrawn",
  recalibrated: "reasonRecalibrated",
  "scored again": "reasonScoredAgain",
  rebuilt: "reasonRebuilt",
  tuned: "reasonTuned",
  compacted: "reasonCompacted",
  "known defects": "reasonDefects",
  "copied or restored": "reasonCopied",
};

export function reasonOf(row: VersionRow): string {
  return say(REASONS[row.reason ?? ""] ?? "reasonUnknown");
}

/** What the class was, newest first; any of it can serve again. */
export function Versions({ name, serving, onServed }: Given) {
  const { service } = useSession();
  const [compared, setCompared] = useState<string>();
  const [chosen, setChosen] = useState<string>();
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/versions", { params: { path: { class_name: name } }, signal }),
      ),
    [service, name, serving],
  );
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  const rows = versionRows(value).slice().reverse();
  return (
    <section class="sheet">
      <p class="soft">{say("versionsSay")}</p>
      <ol class="versions">
        {rows.map((row) => (
          <li key={row.version} class={row.serves ? "serves" : ""}>
            <div>
              <strong>{row.created_at ? moment(row.created_at) : row.version}</strong>{" "}
              {row.serves && <Mark tone="good">{say("serves")}</Mark>}
              {row.damaged && <Mark tone="bad">{say("versionDamaged")}</Mark>}
              <Told row={row} />
            </div>
            <div class="actions">
              {!row.damaged && !row.serves && serving && (
                <button type="button" class="button plain" onClick={() => setCompared(row.version)}>
                  {say("compare")}
                </button>
              )}
              {!row.damaged && !row.serves && (
                <button type="button" class="button plain" onClick={() => setChosen(row.version)}>
                  {say("letServe")}
                </button>
              )}
            </div>
          </li>
        ))}
      </ol>
      {compared && (
        <Diff name={name} version={compared} serving={serving} onClose={() => setCompared(undefined)} />
      )}
      {chosen && (
        <Serve
          name={name}
          version={chosen}
          serving={value.active ?? undefined}
          onServed={(served) => {
            onServed(served);
            again();
          }}
          onClose={() => setChosen(undefined)}
        />
      )}
    </section>
  );
}

function Told({ row }: { row: VersionRow }) {
  if (row.error)
    return (
      <p class="name">
        <Fault code={row.error.code} message={row.error.message} />
      </p>
    );
  return (
    <>
      <p>
        {reasonOf(row)}
        {" · "}
        {say("versionSize", {
          references: figure(row.references ?? 0, 9),
          threshold: figure(row.threshold ?? 0, 3),
        })}
      </p>
      <p class="soft">{row.version}</p>
    </>
  );
}
