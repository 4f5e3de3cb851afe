import { useState } from "preact/hooks";
import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Stored } from "../parts/Stored";
import { Window } from "../parts/Window";
import { figure, say, type Word } from "../words";
import { Decisions, DiffersAt } from "./Differing";

const RECENT = 50;

const FACTS: Record<string, Word> = {
  references: "references",
  patches: "patches",
  threshold: "threshold",
  review_threshold: "reviewThreshold",
  pixel_threshold: "pixelThreshold",
  count: "calibrationPictures",
  target_far: "rateAsked",
  review_far: "reviewRateAsked",
  stale: "staleScores",
  promised: "ratePromised",
  detail: "detail",
  coreset: "coreset",
  backbone: "backbone",
  known_defects: "knownDefects",
};

interface Given {
  name: string;
  version: string;
  serving: string | undefined;
  onClose: () => void;
}

/** What the serving version has and this one has not, and the other way round. */
export function Diff({ name, version, serving, onClose }: Given) {
  const { service } = useSession();
  const [recent, setRecent] = useState(0);
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/diff", {
          params: { path: { class_name: name }, query: { before: version, recent } },
          signal,
        }),
      ),
    [service, name, version, recent, serving],
  );
  const waits = value !== undefined && recent > 0 && !value.recent;
  return (
    <Window title={say("diffTitle", { version })} onClose={onClose}>
      {failure && <Failure failure={failure} again={again} />}
      {!value && !failure && <p aria-busy="true">{say("loading")}</p>}
      {value && <Changes value={value} name={name} />}
      {value?.recent && <Recent recent={value.recent} before={value.before} />}
      {value && !value.recent && (
        <p>
          <button
            type="button"
            class="button plain"
            disabled={waits && !failure}
            aria-busy={waits && !failure}
            onClick={() => setRecent(RECENT)}
          >
            {say("compareRecent", { count: RECENT })}
          </button>{" "}
          <span class="soft">{say("compareRecentSays")}</span>
        </p>
      )}
    </Window>
  );
}

function Changes({ value, name }: { value: Schema["VersionDiffOut"]; name: string }) {
  const changes = Object.entries(value.changes);
  const nothing =
    changes.length +
      value.added.length +
      value.withdrawn.length +
      value.defects_added.length +
      value.defects_removed.length ===
    0;
  return (
    <>
      {nothing && <p>{say("nothingDiffers")}</p>}
      {changes.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">{say("fact")}</th>
              <th scope="col">{say("thisVersion")}</th>
              <th scope="col">{say("servingVersion")}</th>
            </tr>
          </thead>
          <tbody>
            {changes.map(([fact, change]) => (
              <tr key={fact}>
                <th scope="row">{FACTS[fact] ? say(FACTS[fact]) : fact}</th>
                <td>{told(change.before)}</td>
                <td>{told(change.after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Pictures title={say("onlyServing")} name={name} version={value.after} listed={value.added} />
      <Pictures title={say("onlyThis")} name={name} version={value.before} listed={value.withdrawn} />
      <Named title={say("defectsOnlyServing")} listed={value.defects_added} />
      <Named title={say("defectsOnlyThis")} listed={value.defects_removed} />
    </>
  );
}

function told(value: unknown): string {
  if (typeof value === "number") return figure(value, Number.isInteger(value) ? 12 : 4);
  return value === null || value === undefined ? "–" : String(value);
}

interface Listed {
  title: string;
  name: string;
  version: string;
  listed: readonly Schema["ReferenceName"][];
}

const SHOWN = 24;

function Pictures({ title, name, version, listed }: Listed) {
  if (listed.length === 0) return null;
  return (
    <>
      <h3>{`${title} (${listed.length})`}</h3>
      <ul class="strip">
        {listed.slice(0, SHOWN).map(({ image_id, name: file }) => (
          <li key={image_id}>
            <Stored
              path={`/classes/${name}/references/${image_id}/thumbnail?version=${encodeURIComponent(version)}`}
              alt={file}
              name="thumb"
            />
            <span class="name">{file}</span>
          </li>
        ))}
      </ul>
      {listed.length > SHOWN && <p class="soft">{say("andMore", { count: listed.length - SHOWN })}</p>}
    </>
  );
}

function Named({ title, listed }: { title: string; listed: readonly Schema["DefectName"][] }) {
  if (listed.length === 0) return null;
  return (
    <p>
      <strong>{title}: </strong>
      {listed.map(({ name }) => name).join(", ")}
    </p>
  );
}

function Recent({ recent, before }: { recent: Schema["RecentDiff"]; before: string }) {
  return (
    <>
      <h3>{say("recentTitle", { count: recent.looked_at })}</h3>
      {recent.looked_at === 0 && <p>{say("recentNone")}</p>}
      <Decisions
        first={say("thisVersion")}
        second={say("servingVersion")}
        pairs={recent.decisions.map(({ before: one, after: other, detections }) => [one, other, detections])}
      />
      {recent.without_picture > 0 && (
        <p class="hint">{say("withoutPicture", { count: recent.without_picture })}</p>
      )}
      {recent.failed.length > 0 && <p class="hint">{recent.failed.join("; ")}</p>}
      <ul class="differing">
        {recent.changed.map((row) => (
          <DiffersAt
            key={row.detection_id}
            thumbnail={`/detections/${row.detection_id}/thumbnail`}
            file={row.file_name}
            at={row.at}
            word={row.word}
            judgements={[
              [say(row.before.version === before ? "thisVersion" : "servingVersion"), row.before],
              [say(row.after.version === before ? "thisVersion" : "servingVersion"), row.after],
            ]}
          />
        ))}
      </ul>
    </>
  );
}
