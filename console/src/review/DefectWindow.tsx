import { useId, useState } from "preact/hooks";
import { useAttempt } from "../api/attempt";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { ClassField } from "../parts/ClassField";
import { Failure } from "../parts/Failure";
import { Window } from "../parts/Window";
import { say } from "../words";
import { DryRunReport } from "./DryRunReport";
import { Mini } from "./Mini";
import { type Action, type DryRun, type Recorded, type Region, regionsOf } from "./recorded";

interface Given {
  detection: Recorded;
  by: string;
  onDone: (action: Action) => void;
  onClose: () => void;
}

/** Remembers a defect under a name: what would change is shown first. */
export function DefectWindow({ detection, by, onDone, onClose }: Given) {
  const { service } = useSession();
  const [className, setClassName] = useState(detection.class_name ?? "");
  const [name, setName] = useState("");
  const [place, setPlace] = useState("");
  const [note, setNote] = useState("");
  const { busy, refused, attempt } = useAttempt();
  const [run, setRun] = useState<DryRun | null>(null);
  const regions = regionsOf(detection);
  const region = place === "" ? undefined : regions[Number(place)];
  const path = { detection_id: detection.id };
  const asked = { class_name: className, name: name.trim(), box: region ? sized(region) : null };
  const look = () =>
    attempt(async () => {
      const body = { ...asked, recent: 50 };
      const told = service.api.POST("/detections/{detection_id}/defect/dry-run", { params: { path }, body });
      setRun(await service.ask(told));
    });
  const remember = () =>
    attempt(async () => {
      const body = { ...asked, note, by, activate: true };
      const told = service.api.POST("/detections/{detection_id}/defect", { params: { path }, body });
      onDone((await service.ask(told)).action);
    });
  const change = <T,>(set: (value: T) => void) => {
    return (value: T) => {
      set(value);
      setRun(null); // it was of another question
    };
  };
  const ready = className !== "" && name.trim() !== "" && !busy;
  return (
    <Window title={say("defectTitle")} onClose={onClose}>
      <p>{say("defectSays")}</p>
      <Mini detection={detection} />
      {!detection.class_name && (
        <ClassField value={className} empty={say("chooseClass")} onChange={change(setClassName)} />
      )}
      <NameOfDefect className={className} name={name} onName={change(setName)} />
      {regions.length > 1 && (
        <label class="field">
          {say("whereIsIt")}
          <select value={place} onChange={({ currentTarget }) => change(setPlace)(currentTarget.value)}>
            <option value="">{say("whereMapIsHigh")}</option>
            {regions.map(({ box }, index) => (
              <option key={box.join()} value={index}>
                {say("regionAt", { number: index + 1, x: box[0], y: box[1] })}
              </option>
            ))}
          </select>
        </label>
      )}
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
      {run && <DryRunReport run={run} hides={false} />}
      <div class="actions">
        {run ? (
          <button type="button" class="button" disabled={!ready} onClick={remember}>
            {busy ? say("working") : say("remember")}
          </button>
        ) : (
          <button type="button" class="button" disabled={!ready} onClick={look}>
            {busy ? say("dryRunning") : say("seeFirst")}
          </button>
        )}
      </div>
    </Window>
  );
}

interface Named {
  className: string;
  name: string;
  onName: (name: string) => void;
}

/** What the defect is called; names that the class knows are offered. */
function NameOfDefect({ className, name, onName }: Named) {
  const { service } = useSession();
  const list = useId();
  const { value } = useLoaded(
    async (signal) => {
      if (!className) return null;
      const params = { path: { class_name: className } };
      return service.ask(service.api.GET("/classes/{class_name}/defects", { params, signal }));
    },
    [service, className],
  );
  const names = [...new Set(value?.defects.map((defect) => defect.name))];
  return (
    <label class="field">
      {say("defectName")}
      <input
        type="text"
        required
        maxLength={60}
        list={list}
        value={name}
        onInput={({ currentTarget }) => onName(currentTarget.value)}
      />
      <datalist id={list}>
        {names.map((known) => (
          <option key={known} value={known} />
        ))}
      </datalist>
    </label>
  );
}

/** Left, top, width, height. */
function sized({ box: [left, top, right, bottom] }: Region): [number, number, number, number] {
  return [left, top, right - left, bottom - top];
}
