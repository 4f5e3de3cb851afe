import { useState } from "preact/hooks";
import { useAttempt } from "../api/attempt";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { ClassField } from "../parts/ClassField";
import { Failure } from "../parts/Failure";
import { Window } from "../parts/Window";
import { say } from "../words";
import { DryRunReport } from "./DryRunReport";
import { Mini } from "./Mini";
import type { Action, Recorded } from "./recorded";

interface Given {
  detection: Recorded;
  by: string;
  onDone: (action: Action) => void;
  onClose: () => void;
}

/** Accepts a false alarm as normal: what would change is shown first. */
export function AcceptWindow({ detection, by, onDone, onClose }: Given) {
  const { service } = useSession();
  const [className, setClassName] = useState(detection.class_name ?? "");
  const [note, setNote] = useState("");
  const { busy, refused, attempt } = useAttempt();
  const path = { detection_id: detection.id };
  const { value, failure } = useLoaded(
    async (signal) => {
      if (!className) return null;
      const asked = { params: { path }, body: { class_name: className, recent: 50 }, signal };
      return service.ask(service.api.POST("/detections/{detection_id}/accept/dry-run", asked));
    },
    [service, className],
  );
  const accept = () =>
    attempt(async () => {
      const body = { class_name: className, note, by, activate: true };
      const { action } = await service.ask(
        service.api.POST("/detections/{detection_id}/accept", { params: { path }, body }),
      );
      onDone(action);
    });
  return (
    <Window title={say("acceptTitle")} onClose={onClose}>
      <p>{say("acceptSays")}</p>
      <Mini detection={detection} />
      {!detection.class_name && (
        <ClassField value={className} empty={say("chooseClass")} onChange={setClassName} />
      )}
      {failure && <Failure failure={failure} />}
      {className && !value && !failure && <p class="soft">{say("dryRunning")}</p>}
      {value && <DryRunReport run={value} hides />}
      <label class="field wide">
        {say("note")}
        <input
          type="text"
          maxLength={2000}
          value={note}
          onInput={({ currentTarget }) => setNote(currentTarget.value)}
        />
      </label>
      {refused && <Failure failure={refused} deed />}
      <button type="button" class="button" disabled={!value || busy} onClick={accept}>
        {busy ? say("working") : say("accept")}
      </button>
    </Window>
  );
}
