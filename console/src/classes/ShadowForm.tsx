import { useState } from "preact/hooks";
import { useAttempt } from "../api/attempt";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { moment, percent, say } from "../words";
import type { ClassDetail } from "./ClassPage";
import { versionRows } from "./documents";
import { reasonOf } from "./Versions";

const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 1];

/** Chooses a kept version and the share of the detections that it judges, too. */
export function ShadowForm({ detail, onStarted }: { detail: ClassDetail; onStarted: () => void }) {
  const { service } = useSession();
  const name = detail.class_name;
  const [chosen, setChosen] = useState("");
  const [share, setShare] = useState(0.1);
  const { busy, refused, attempt } = useAttempt();
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/versions", { params: { path: { class_name: name } }, signal }),
      ),
    [service, name, detail.version],
  );
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  const rows = versionRows(value)
    .filter((row) => !row.serves && !row.damaged)
    .reverse();
  const version = chosen || rows[0]?.version;
  if (!version) return <p>{say("noOtherVersion")}</p>;
  const start = (event: Event) => {
    event.preventDefault();
    void attempt(async () => {
      await service.ask(
        service.api.PUT("/classes/{class_name}/shadow", {
          params: { path: { class_name: name } },
          body: { version, share, by: "" },
        }),
      );
      onStarted();
    });
  };
  return (
    <form onSubmit={start} class="row">
      <label class="field">
        {say("candidateVersion")}
        <select value={version} onChange={(event) => setChosen(event.currentTarget.value)}>
          {rows.map((row) => (
            <option key={row.version} value={row.version}>
              {`${row.created_at ? moment(row.created_at) : row.version} · ${reasonOf(row)}`}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        {say("share")}
        <select value={share} onChange={(event) => setShare(Number(event.currentTarget.value))}>
          {SHARES.map((part) => (
            <option key={part} value={part}>
              {percent(part, 3)}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="button" disabled={busy} aria-busy={busy}>
        {say("startShadow")}
      </button>
      {refused && <Failure failure={refused} />}
    </form>
  );
}
