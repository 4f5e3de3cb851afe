import { useState } from "preact/hooks";
import { useSession } from "../api/session";
import { say } from "../words";
import type { Item } from "./item";

/** Judges a picture again, as a picture of a class that a person names. */
export function Force({ item, onForce }: { item: Item; onForce: (className: string) => void }) {
  const { classes } = useSession();
  const [name, setName] = useState(item.className);
  const judging = item.state === "waiting" || item.state === "judging";
  return (
    <div class="force">
      <label class="field">
        {say("judgeAsClass")}
        <select value={name} onChange={(event) => setName(event.currentTarget.value)}>
          <option value="">{say("anyClass")}</option>
          {classes.map(({ class_name }) => (
            <option key={class_name}>{class_name}</option>
          ))}
        </select>
      </label>
      <button type="button" class="button plain" disabled={judging} onClick={() => onForce(name)}>
        {say("judgeAgain")}
      </button>
    </div>
  );
}
