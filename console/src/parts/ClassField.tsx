import { useSession } from "../api/session";
import { say } from "../words";

interface Given {
  value: string;
  /** What the empty choice says; without it a class must be chosen. */
  empty?: string;
  onChange: (name: string) => void;
}

/** A choice among the taught classes. */
export function ClassField({ value, empty, onChange }: Given) {
  const { classes } = useSession();
  return (
    <label class="field">
      {say("className")}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {empty !== undefined && <option value="">{empty}</option>}
        {classes.map(({ class_name }) => (
          <option key={class_name}>{class_name}</option>
        ))}
      </select>
    </label>
  );
}
